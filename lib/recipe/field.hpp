#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "recipe/node.hpp"
#include "recipe/scalars.hpp"
#include "recipe/words.hpp"

/// How the C++ type of an options field appears in a recipe: its type in the schema, and the way to a Node
/// and back.
namespace sst::recipe {

enum class Type { kInteger, kNumber, kBoolean, kString, kPath, kInterval, kDuration, kBytes, kFree };
enum class Shape { kOne, kList, kOneOrMany };

struct KeyType {
  Type type = Type::kString;
  Shape shape = Shape::kOne;
  bool or_word = false;
  bool operator==(const KeyType&) const = default;
};

/// FieldType<T>: key_type, optional, to_node(value), from_node(node); from_node trusts that the node was
/// checked.
template <class T>
struct FieldType;

namespace detail {

template <class T, Type kType>
struct ScalarField {
  static constexpr KeyType key_type = {kType, Shape::kOne, false};
  static constexpr bool optional = false;
};

template <class List, class T, Shape kShape>
struct ListField {
  static constexpr KeyType key_type = {FieldType<T>::key_type.type, kShape, FieldType<T>::key_type.or_word};
  static constexpr bool optional = false;
  static Node to_node(const std::vector<T>& values) {
    std::vector<Node> items;
    for (const T& value : values) items.push_back(FieldType<T>::to_node(value));
    return Node::list(std::move(items));
  }
  static std::vector<T> from_node(const Node& node) {
    std::vector<T> values;
    for (const Node& item : node.children) values.push_back(FieldType<T>::from_node(item));
    return values;
  }
};

}  // namespace detail

template <>
struct FieldType<int64_t> : detail::ScalarField<int64_t, Type::kInteger> {
  static Node to_node(int64_t value) { return Node::scalar(std::to_string(value)); }
  static int64_t from_node(const Node& node) { return parse_integer(node.text).value.value(); }
};

template <>
struct FieldType<double> : detail::ScalarField<double, Type::kNumber> {
  static Node to_node(double value) { return Node::scalar(format_number(value)); }
  static double from_node(const Node& node) { return parse_number(node.text).value.value(); }
};

template <>
struct FieldType<bool> : detail::ScalarField<bool, Type::kBoolean> {
  static Node to_node(bool value) { return Node::scalar(value ? "true" : "false"); }
  static bool from_node(const Node& node) { return parse_boolean(node.text).value.value(); }
};

template <>
struct FieldType<std::string> : detail::ScalarField<std::string, Type::kString> {
  static Node to_node(const std::string& value) { return Node::scalar(value); }
  static std::string from_node(const Node& node) { return node.text; }
};

template <>
struct FieldType<Path> : detail::ScalarField<Path, Type::kPath> {
  static Node to_node(const Path& value) { return Node::scalar(value.text); }
  static Path from_node(const Node& node) { return {node.text}; }
};

template <>
struct FieldType<Interval> : detail::ScalarField<Interval, Type::kInterval> {
  static Node to_node(const Interval& value) { return Node::scalar(format_interval(value)); }
  static Interval from_node(const Node& node) { return parse_interval(node.text).value.value(); }
};

template <>
struct FieldType<Duration> : detail::ScalarField<Duration, Type::kDuration> {
  static Node to_node(const Duration& value) { return Node::scalar(format_duration(value)); }
  static Duration from_node(const Node& node) { return parse_duration(node.text).value.value(); }
};

template <>
struct FieldType<Bytes> : detail::ScalarField<Bytes, Type::kBytes> {
  static Node to_node(const Bytes& value) { return Node::scalar(format_bytes(value)); }
  static Bytes from_node(const Node& node) { return parse_bytes(node.text).value.value(); }
};

/// A value with a grammar of its own (`sweep.axes`); whoever reads it checks it.
template <>
struct FieldType<Node> : detail::ScalarField<Node, Type::kFree> {
  static Node to_node(const Node& value) { return value; }
  static Node from_node(const Node& node) { return node; }
};

template <class T>
struct FieldType<std::vector<T>> : detail::ListField<std::vector<T>, T, Shape::kList> {};

template <class T>
struct FieldType<OneOrMany<T>> : detail::ListField<OneOrMany<T>, T, Shape::kOneOrMany> {
  using List = detail::ListField<OneOrMany<T>, T, Shape::kOneOrMany>;
  static Node to_node(const OneOrMany<T>& value) { return List::to_node(value.values); }
  static OneOrMany<T> from_node(const Node& node) { return {List::from_node(node)}; }
};

template <class T>
struct FieldType<OrWord<T>> {
  static constexpr KeyType key_type = {FieldType<T>::key_type.type, Shape::kOne, true};
  static constexpr bool optional = false;
  static Node to_node(const OrWord<T>& value) {
    return value.value ? FieldType<T>::to_node(*value.value) : Node::scalar(value.word);
  }
  static OrWord<T> from_node(const Node& node) {
    // A checked text that is no value of T is one of the words.
    if constexpr (std::is_same_v<T, int64_t>) {
      const auto parsed = parse_integer(node.text);
      return parsed.value ? OrWord<T>{parsed.value, {}} : OrWord<T>{{}, node.text};
    } else if constexpr (std::is_same_v<T, double>) {
      const auto parsed = parse_number(node.text);
      return parsed.value ? OrWord<T>{parsed.value, {}} : OrWord<T>{{}, node.text};
    } else {
      const auto parsed = parse_interval(node.text);
      return parsed.value ? OrWord<T>{parsed.value, {}} : OrWord<T>{{}, node.text};
    }
  }
};

template <class T>
struct FieldType<std::optional<T>> {
  static constexpr KeyType key_type = FieldType<T>::key_type;
  static constexpr bool optional = true;
  static Node to_node(const std::optional<T>& value) { return value ? FieldType<T>::to_node(*value) : Node{}; }
  static std::optional<T> from_node(const Node& node) {
    if (node.is_null()) return std::nullopt;
    return FieldType<T>::from_node(node);
  }
};

}  // namespace sst::recipe
