#include "recipe/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace sst::recipe {
namespace {

/// Text in a table cell: a bar would end it.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string default_text(const Variant& variant) {
  if (variant.constraint.is_required) return "required";
  if (variant.default_value.is_null()) return "optional";
  return "`" + to_flow_yaml(variant.default_value) + "`";
}

/// Keys directly in the section, and those of the mappings nested in it.
std::vector<const Key*> keys_of(const Schema& schema, const std::string& section) {
  std::vector<const Key*> keys;
  for (const Key& key : schema.keys())
    if (section.empty() ? key.section().empty() : starts_with(key.path, section + ".")) keys.push_back(&key);
  return keys;
}

std::string presets_line(const Schema& schema, const std::string& section) {
  const auto* presets = schema.presets(section);
  if (!presets) return {};
  std::string text = "May be written as one word:\n\n";
  for (const auto& [name, values] : *presets) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : values) pairs.push_back(key + ": " + value);
    text += fmt::format("- `{}` = `{{{}}}`\n", name, join(pairs, ", "));
  }
  return text + "\n";
}

/// Breaks a text into lines of at most `width` columns, each behind `indent`.
std::string wrapped(const std::string& text, const std::string& indent, size_t width) {
  std::string result, line = indent;
  for (const std::string& word : split(text, ' ')) {
    const auto columns = static_cast<size_t>(character_count(line) + character_count(word));
    if (line.size() > indent.size() && columns + 1 > width) {
      result += line + "\n";
      line = indent;
    }
    line += (line.size() > indent.size() ? " " : "") + word;
  }
  return result + line + "\n";
}

}  // namespace

std::string markdown_section(const Schema& schema, const std::string& section) {
  if (!section.empty()) require_section(schema, section);
  std::string text = fmt::format("## {}\n\n", section.empty() ? "Top level" : "`" + section + "`");
  if (const std::string doc = schema.doc_of_section(section); !doc.empty()) text += doc + "\n\n";
  text += presets_line(schema, section);
  text += "| key | type | default | meaning | applies when |\n|---|---|---|---|---|\n";
  for (const Key* key : keys_of(schema, section)) {
    const std::string name = section.empty() ? key->path : key->path.substr(section.size() + 1);
    for (const Variant& variant : key->variants)
      text += fmt::format("| `{}` | {} | {} | {} | {} |\n", name, cell(describe_type(*key, variant)),
                          cell(default_text(variant)), cell(variant.doc), cell(describe_condition(variant)));
  }
  return text;
}

std::string markdown(const Schema& schema) {
  std::string text = markdown_section(schema, "");
  for (const std::string& section : schema.sections())
    if (section.find('.') == std::string::npos) text += "\n" + markdown_section(schema, section);
  return text;
}

std::string plain_section(const Schema& schema, const std::string& section, size_t width) {
  if (!section.empty()) require_section(schema, section);
  std::string text;
  for (const Key* key : keys_of(schema, section)) {
    for (const Variant& variant : key->variants) {
      std::string head = key->path + ": " + describe_type(*key, variant);
      if (variant.constraint.is_required)
        head += "; required";
      else if (variant.default_value.is_null())
        head += "; optional";
      else
        head += "; default " + to_flow_yaml(variant.default_value);
      text += wrapped(head, "", width) + wrapped(variant.doc, "    ", width);
      if (const std::string condition = describe_condition(variant); !condition.empty())
        text += wrapped("only when " + condition, "    ", width);
    }
  }
  return text;
}

}  // namespace sst::recipe
