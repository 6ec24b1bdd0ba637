#include "recipe/schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace sst::recipe {
namespace {

std::string type_word(Type type) {
  switch (type) {
    case Type::kInteger:
      return "whole number";
    case Type::kNumber:
      return "number";
    case Type::kBoolean:
      return "true or false";
    case Type::kString:
      return "string";
    case Type::kPath:
      return "path";
    case Type::kInterval:
      return "interval";
    case Type::kDuration:
      return "time";
    case Type::kBytes:
      return "size";
    default:
      return "mapping or list";
  }
}

std::string range_words(const Constraint& constraint) {
  const bool lower = constraint.least != -std::numeric_limits<double>::infinity();
  const bool upper = constraint.most != std::numeric_limits<double>::infinity();
  if (lower && upper)
    return fmt::format(" in {}{}, {}{}", constraint.least_excluded ? '(' : '[', format_number(constraint.least),
                       format_number(constraint.most), constraint.most_excluded ? ')' : ']');
  if (lower) return fmt::format(" {} {}", constraint.least_excluded ? ">" : "≥", format_number(constraint.least));
  if (upper) return fmt::format(" {} {}", constraint.most_excluded ? "<" : "≤", format_number(constraint.most));
  return {};
}

/// Two conditions on the same selector become one with both lists of values.
void add_condition(std::vector<Condition>& conditions, const Condition& added) {
  for (Condition& present : conditions) {
    if (present == added) return;
    if (present.clauses.size() != 1 || added.clauses.size() != 1) continue;
    if (present.clauses[0].selector != added.clauses[0].selector) continue;
    auto& values = present.clauses[0].values;
    for (const std::string& value : added.clauses[0].values)
      if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    return;
  }
  conditions.push_back(added);
}

}  // namespace

Condition Condition::and_when(std::string selector, std::vector<std::string> values) const {
  Condition copy = *this;
  copy.clauses.push_back({std::move(selector), std::move(values)});
  return copy;
}

Condition only_when(std::string selector, std::vector<std::string> values) {
  return Condition{{{std::move(selector), std::move(values)}}};
}

Condition always() { return {}; }

std::string join_path(const std::string& section, const std::string& name) {
  return section.empty() ? name : section + "." + name;
}

std::string Key::section() const {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string Key::leaf() const { return path.substr(path.rfind('.') + 1); }

Schema::Schema() {
  Variant version;
  version.when = {always()};
  version.constraint = at_least(1).required();
  version.doc = "version of the recipe format; this program reads 1";
  add("recipe_version", FieldType<int64_t>::key_type, version);
  Variant inherit;
  inherit.when = {always()};
  inherit.optional = true;
  inherit.doc = "recipes this one starts from, in order: paths relative to this file, or builtin:NAME";
  add("inherit", FieldType<OneOrMany<Path>>::key_type, inherit);
}

void Schema::add(const std::string& path, KeyType type, Variant variant) {
  // The language's own keys are described here only, so that a top-level struct may name them too.
  if ((path == "recipe_version" || path == "inherit") && find(path)) return;
  const auto known = index_.find(path);
  if (known == index_.end()) {
    index_[path] = keys_.size();
    keys_.push_back({path, type, {std::move(variant)}});
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
      const std::string section = path.substr(0, dot);
      if (!is_section(section)) sections_.push_back(section);
    }
    return;
  }
  Key& key = keys_[known->second];
  require(key.type == type, "recipe key '" + path + "' is described with two types");
  for (Variant& present : key.variants) {
    const bool same = present.optional == variant.optional && present.constraint == variant.constraint &&
                      present.doc == variant.doc &&
                      to_flow_yaml(present.default_value) == to_flow_yaml(variant.default_value);
    if (!same) continue;
    for (const Condition& condition : variant.when) add_condition(present.when, condition);
    return;
  }
  key.variants.push_back(std::move(variant));
}

void Schema::section_doc(const std::string& section, const std::string& doc) { section_docs_[section] = doc; }

void Schema::preset(const std::string& section, const std::string& name, const Preset& values) {
  presets_[section].emplace_back(name, values);
}

const Key* Schema::find(std::string_view path) const {
  const auto found = index_.find(path);
  return found == index_.end() ? nullptr : &keys_[found->second];
}

bool Schema::is_section(std::string_view path) const {
  return std::find(sections_.begin(), sections_.end(), path) != sections_.end();
}

std::string Schema::doc_of_section(const std::string& section) const {
  const auto found = section_docs_.find(section);
  return found == section_docs_.end() ? "" : found->second;
}

std::vector<std::string> Schema::names_in(const std::string& section) const {
  std::vector<std::string> names;
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const Key& key : keys_) {
    if (!starts_with(key.path, prefix)) continue;
    const std::string rest = key.path.substr(prefix.size());
    const std::string name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

const std::vector<std::pair<std::string, Schema::Preset>>* Schema::presets(const std::string& section) const {
  const auto found = presets_.find(section);
  return found == presets_.end() ? nullptr : &found->second;
}

std::string describe_type(const Key& key, const Variant& variant) {
  const Constraint& constraint = variant.constraint;
  std::string text;
  const bool choice = key.type.type == Type::kString && !constraint.choices.empty();
  if (choice) {
    text = join(constraint.choices, " | ");
  } else {
    text = constraint.is_file_name ? "name" : type_word(key.type.type) + range_words(constraint);
    if (key.type.or_word && !constraint.choices.empty()) text += ", or " + join(constraint.choices, " | ");
  }
  if (key.type.shape == Shape::kList) return "list of " + text;
  if (key.type.shape == Shape::kOneOrMany) return text + ", or a list of them";
  return text;
}

std::string describe_condition(const Variant& variant) {
  std::vector<std::string> alternatives;
  for (const Condition& condition : variant.when) {
    if (condition.clauses.empty()) return {};
    std::vector<std::string> clauses;
    for (const auto& clause : condition.clauses) clauses.push_back(clause.selector + ": " + join(clause.values, ", "));
    alternatives.push_back(join(clauses, " and "));
  }
  return join(alternatives, "; or ");
}

void require_section(const Schema& schema, const std::string& section) {
  if (schema.is_section(section)) return;
  const auto nearest = did_you_mean(section, schema.sections());
  throw UserError("there is no section '" + section + "'",
                  nearest ? "did you mean '" + *nearest + "'?" : "sections: " + join(schema.sections(), ", "));
}

}  // namespace sst::recipe
