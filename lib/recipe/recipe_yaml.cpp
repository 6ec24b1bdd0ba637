#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "recipe/interpolate.hpp"
#include "recipe/options_yaml.hpp"
#include "recipe/recipe.hpp"

namespace sst::recipe {
namespace {

using Comment = std::function<std::string(const Setting&)>;

/// A tree of sections, so that keys that were described apart still stand together.
struct Branch {
  std::string name;
  const Setting* setting = nullptr;
  std::vector<Branch> children;

  Branch& child(const std::string& key) {
    for (Branch& present : children)
      if (present.name == key) return present;
    children.push_back(Branch{key, nullptr, {}});
    return children.back();
  }
};

Node escaped(Node node) {
  if (node.is_scalar()) node.text = escape_interpolation(node.text);
  for (Node& child : node.children) child = escaped(std::move(child));
  return node;
}

std::string indentation(size_t depth) { return std::string(2 * depth, ' '); }

/// A value with its own grammar: nested as far as mappings go, each row of a list on its own line.
std::string free_value(const Node& node, size_t depth) {
  std::string text;
  if (node.is_mapping() && !node.children.empty()) {
    for (const Node& child : node.children)
      text += "\n" + indentation(depth) + to_yaml_scalar(child.key) + ":" + free_value(child, depth + 1);
    return text;
  }
  const bool rows = node.is_list() && std::any_of(node.children.begin(), node.children.end(),
                                                  [](const Node& child) { return child.is_mapping(); });
  if (!rows) return " " + to_flow_yaml(node);
  for (const Node& child : node.children) text += "\n" + indentation(depth) + "- " + to_flow_yaml(child);
  return text;
}

void write(const Branch& branch, size_t depth, const Comment& comment, std::string& text) {
  if (!branch.setting) {
    text += indentation(depth) + branch.name + ":\n";
    for (const Branch& child : branch.children) write(child, depth + 1, comment, text);
    return;
  }
  const Setting& setting = *branch.setting;
  const bool free = setting.type.type == Type::kFree;
  const std::string value = free ? free_value(setting.value, depth + 1) : " " + to_flow_yaml(escaped(setting.value));
  std::string line = indentation(depth) + branch.name + ":" + value;
  const std::string beside = comment(setting);
  if (!beside.empty()) {
    // The comment goes to the end of the first line: a free value may have more.
    const size_t end = std::min(line.find('\n'), line.size());
    line.insert(end, std::string(end < 39 ? 40 - end : 1, ' ') + "# " + beside);
  }
  text += line + "\n";
}

std::string to_text(const std::vector<Setting>& settings, const Comment& comment) {
  Branch root;
  for (const Setting& setting : settings) {
    if (setting.value.is_null() && setting.default_value.is_null()) continue;
    Branch* branch = &root;
    size_t start = 0;
    for (size_t dot = setting.path.find('.'); dot != std::string::npos; dot = setting.path.find('.', start)) {
      branch = &branch->child(setting.path.substr(start, dot - start));
      start = dot + 1;
    }
    branch->child(setting.path.substr(start)).setting = &setting;
  }
  std::string text;
  for (const Branch& branch : root.children)
    if (branch.setting) write(branch, 0, comment, text);
  for (const Branch& branch : root.children) {
    if (branch.setting) continue;
    text += "\n";
    write(branch, 0, comment, text);
  }
  return text;
}

}  // namespace

std::string to_recipe_yaml(const Node& mapping) { return to_flow_yaml(escaped(mapping)); }

std::string Recipe::to_yaml() const {
  return to_text(settings_, [](const Setting&) { return std::string(); });
}

std::string Recipe::to_yaml_with_origins() const {
  return to_text(settings_, [](const Setting& setting) {
    if (!setting.given) return std::string("default");
    if (setting.value.place.argument.empty()) return setting.value.place.line_text();
    return "command line: " + setting.value.place.argument;
  });
}

}  // namespace sst::recipe
