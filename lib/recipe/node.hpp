#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/place.hpp"

namespace sst::recipe {

/// One value of a recipe as it was written, before or after it got its type: the tree every later stage works
/// on.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMapping };

  Kind kind = Kind::kNull;
  std::string text = {};            ///< of a scalar
  bool quoted = false;              ///< a scalar written with quotes, or as a block
  bool flow = false;                ///< a list or mapping written with brackets
  bool removes = false;             ///< a null that took away an inherited value
  std::vector<Node> children = {};  ///< elements of a list, values of a mapping
  Place place = {};

  std::string key = {};  ///< of a value in a mapping
  Place key_place = {};

  static Node scalar(std::string text);
  static Node list(std::vector<Node> items);
  static Node mapping() { return Node{.kind = Kind::kMapping}; }

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_mapping() const { return kind == Kind::kMapping; }

  const Node* find(std::string_view name) const;
  Node* find(std::string_view name);
  /// Puts `value` under `name`, replacing what is there in place or appending.
  Node& set(const std::string& name, Node value);
  void erase(std::string_view name);

  size_t size() const;   ///< nodes in the tree, this one included
  size_t depth() const;  ///< levels; 1 for a scalar

  /// Gives every node of the tree, keys included, the same place.
  void set_places(const Place& new_place);
};

/// Lays `upper` over `lower`: mappings merge key by key, scalars and lists replace, null removes (and stays
/// as a null).
void merge_into(Node& lower, const Node& upper);

/// One line of YAML in flow style.
std::string to_flow_yaml(const Node& node);

/// A scalar as YAML: plain where that reads back as the same text, quoted otherwise.
std::string to_yaml_scalar(std::string_view text);

/// "a list", "a mapping", "null", or the text of a scalar: for messages. Long texts are cut.
std::string shown(const Node& node);

}  // namespace sst::recipe
