#pragma once

#include <string>

#include "recipe/field.hpp"

namespace sst::recipe {

/// A mapping as one line of YAML that a recipe reads back as it is: `${` is escaped.
std::string to_recipe_yaml(const Node& mapping);

namespace detail {

struct OptionsWriter {
  Node mapping = Node::mapping();

  template <class T>
  void operator()(const T& member, const std::string& name, const Constraint&, const std::string&) {
    if (Node value = FieldType<T>::to_node(member); !value.is_null()) mapping.set(name, std::move(value));
  }
};

}  // namespace detail

/// The way back from an options struct to its section: every field that has a value, under the key that describe() gives
/// it. For keys without dots.
///     "model: " + recipe::section_yaml(models::to_options(config)) + "\n"
template <class Options>
std::string section_yaml(Options options) {
  detail::OptionsWriter writer;
  options.describe(writer);
  return to_recipe_yaml(writer.mapping);
}

}  // namespace sst::recipe
