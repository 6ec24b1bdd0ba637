#include "recipe/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text.hpp"
#include "recipe/presets.hpp"
#include "recipe/synonyms.hpp"
#include "recipe/yaml_reader.hpp"

namespace sst::recipe {
namespace {

bool is_path(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), allowed);
}

std::optional<Override> parse_override(const std::string& argument, Diagnostics& diagnostics) {
  const size_t equals = argument.find('=');
  std::string path = argument.substr(0, equals);
  const bool append = equals != std::string::npos && ends_with(path, "+");
  if (append) path.pop_back();
  const Place place = Place::command_line(argument);
  if (equals == std::string::npos || !is_path(path)) {
    const bool readable = find_bad_byte(argument) == std::string::npos;
    diagnostics.error("E-override", Place::command_line(""),
                      readable ? fmt::format("'{}' is not an override", argument) : "an override is not UTF-8",
                      "overrides look like method.rank=16 or eval.metrics+=f1");
    return std::nullopt;
  }
  const std::string text = argument.substr(equals + 1);
  if (trim(text).empty()) {
    diagnostics.error("E-override", place, "the value is missing",
                      fmt::format("write {}=null to remove the key, or {}='\"\"' for an empty text", path, path));
    return std::nullopt;
  }
  auto value = read_yaml_value(text, place, diagnostics);
  if (!value) return std::nullopt;
  if ((value->is_list() || value->is_mapping()) && !value->flow) {
    diagnostics.error("E-override", place, "the value must be one YAML flow value",
                      fmt::format("quote a text that holds ': ' or '- ': {}='\"...\"'", path));
    return std::nullopt;
  }
  return Override{path, append, std::move(*value), place};
}

/// `--optim.lr=1e-3`, `--lr 1e-3`: says how it is spelled here. Returns how many arguments it took.
size_t refuse_flag(const std::vector<std::string>& arguments, size_t at, const Schema& schema,
                   Diagnostics& diagnostics) {
  std::string name = arguments[at].substr(arguments[at].find_first_not_of('-') == std::string::npos
                                              ? arguments[at].size()
                                              : arguments[at].find_first_not_of('-'));
  std::string value, written = arguments[at];
  size_t taken = 1;
  if (const size_t equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  } else if (at + 1 < arguments.size() && arguments[at + 1].find('=') == std::string::npos &&
             (!starts_with(arguments[at + 1], "-") || parse_number(arguments[at + 1]).value)) {
    value = arguments[at + 1];
    written += " " + value;
    taken = 2;
  }
  const auto key = key_meant_by(name, schema);
  diagnostics.error("E-override", Place::command_line(""), fmt::format("unknown flag '{}'", written),
                    key ? fmt::format("recipe keys take no dashes: write {}={}", *key, value.empty() ? "VALUE" : value)
                        : "'--help' lists the flags; recipe keys are written as key.sub=value");
  return taken;
}

std::optional<size_t> element_index(const std::string& part) {
  if (part.empty() || part.size() > 6 ||
      !std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return static_cast<size_t>(std::stoul(part));
}

/// The default of a list key, to which `+=` appends when the recipe does not give the key.
Node default_list(const std::string& path, const Schema& schema) {
  if (const Key* key = schema.find(path))
    for (const Variant& variant : key->variants)
      if (variant.default_value.is_list()) return variant.default_value;
  return Node::list({});
}

bool may_append(const Override& override, const Schema& schema, Diagnostics& diagnostics) {
  const Key* key = schema.find(override.path);
  if (!key || key->type.shape != Shape::kOne || key->type.type == Type::kFree) return true;
  diagnostics.error("E-override", override.place, fmt::format("'{}' is not a list", override.path),
                    fmt::format("write {}={} to set it", override.path, to_flow_yaml(override.value)));
  return false;
}

void append_to(Node& target, const Override& override, const Schema& schema) {
  if (target.is_null()) {
    Node list = default_list(override.path, schema);
    list.set_places(override.place);
    list.key = target.key;
    target = std::move(list);
  }
  if (!target.is_list()) {  // a one-or-many key written as its only element
    Node list = Node::list({target});
    list.key = target.key;
    list.key_place = target.key_place;
    target = std::move(list);
  }
  target.place = override.place;
  if (override.value.is_list())
    target.children.insert(target.children.end(), override.value.children.begin(), override.value.children.end());
  else
    target.children.push_back(override.value);
}

/// Finds the child that the next part of the path names, making mappings on the way. Null, after an error,
/// where a list has no such element or a scalar has no parts.
Node* descend(Node& node, const std::string& part, const Override& override, Diagnostics& diagnostics) {
  if (node.is_list()) {
    const auto index = element_index(part);
    if (index && *index < node.children.size()) return &node.children[*index];
    diagnostics.error("E-override", override.place,
                      fmt::format("the list has {} elements and no element '{}'", node.children.size(), part),
                      "elements are counted from 0; '+=' appends");
    return nullptr;
  }
  if (node.is_scalar()) {
    diagnostics.error("E-override", override.place,
                      fmt::format("'{}' lies below {}, which is not a mapping", part, shown(node)));
    return nullptr;
  }
  if (node.is_null()) {
    node.kind = Node::Kind::kMapping;
    node.place = override.place;
  }
  if (Node* child = node.find(part)) return child;
  return &node.set(part, Node{.place = override.place, .key_place = override.place});
}

}  // namespace

std::vector<Override> parse_overrides(const std::vector<std::string>& arguments, const Schema& schema,
                                      Diagnostics& diagnostics) {
  std::vector<Override> overrides;
  for (size_t i = 0; i < arguments.size();) {
    if (starts_with(arguments[i], "-")) {
      i += refuse_flag(arguments, i, schema, diagnostics);
      continue;
    }
    if (auto override = parse_override(arguments[i], diagnostics)) overrides.push_back(std::move(*override));
    ++i;
  }
  return overrides;
}

void apply_override(Node& tree, const Override& override, const Schema& schema, Diagnostics& diagnostics) {
  if (override.path == "inherit" || starts_with(override.path, "inherit.")) {
    diagnostics.error("E-override", override.place, "'inherit' cannot be overridden",
                      "write a recipe that inherits what you want");
    return;
  }
  if (override.append && !may_append(override, schema, diagnostics)) return;
  const std::vector<std::string> parts = split(override.path, '.');
  if (parts.size() > kMostDepth) {
    diagnostics.error("E-override", override.place, fmt::format("nested deeper than {} levels", kMostDepth));
    return;
  }
  Node* node = &tree;
  std::string path;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Key* key = schema.find(path);
    // Below a key with its own grammar, mappings hold dotted keys: sweep.axes.method.name.
    const bool dotted = !node->is_list() && key && key->type.type == Type::kFree;
    std::string part = parts[i];
    if (dotted) {
      part = join({parts.begin() + static_cast<std::ptrdiff_t>(i), parts.end()}, ".");
      i = parts.size();
    } else if (!key || key->type.type != Type::kFree) {
      path = join_path(path, part);
    }
    node = descend(*node, part, override, diagnostics);
    if (!node) return;
  }
  if (override.append) {
    append_to(*node, override, schema);
  } else if (node->is_mapping() && override.value.is_mapping()) {
    merge_into(*node, override.value);
  } else {
    Node value = override.value;
    value.key = node->key;
    value.key_place = override.place;
    *node = std::move(value);
  }
  expand_presets(tree, schema, diagnostics);
}

}  // namespace sst::recipe
