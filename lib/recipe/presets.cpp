#include "recipe/presets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace sst::recipe {
namespace {

Node* find_path(Node& tree, const std::string& path) {
  Node* node = &tree;
  for (const std::string& part : split(path, '.')) {
    node = node->find(part);
    if (!node) return nullptr;
  }
  return node;
}

void expand(Node& node, const std::string& section, const std::vector<std::pair<std::string, Schema::Preset>>& presets,
            Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const auto& [name, values] : presets) {
    names.push_back(name);
    if (name != node.text) continue;
    node.kind = Node::Kind::kMapping;
    for (const auto& [key, value] : values) {
      Node child = Node::scalar(value);
      child.set_places(node.place);
      node.set(key, child);
    }
    node.text.clear();
    return;
  }
  const auto nearest = did_you_mean(node.text, names);
  diagnostics.error(
      "E-choice", node.place,
      fmt::format("'{}' is '{}' but must be one of {}, or a mapping", section, shown(node), join(names, ", ")),
      nearest ? fmt::format("did you mean '{}'?", *nearest) : "");
  node = Node{.place = node.place, .key = node.key, .key_place = node.key_place};
}

}  // namespace

void expand_presets(Node& tree, const Schema& schema, Diagnostics& diagnostics) {
  for (const std::string& section : schema.sections()) {
    const auto* presets = schema.presets(section);
    Node* node = presets ? find_path(tree, section) : nullptr;
    if (node && node->is_scalar()) expand(*node, section, *presets, diagnostics);
  }
}

}  // namespace sst::recipe
