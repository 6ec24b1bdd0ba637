#include "recipe/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"
#include "recipe/synonyms.hpp"

namespace sst::recipe {
namespace {

const char* wanted(Type type) {
  switch (type) {
    case Type::kInteger:
      return "a whole number";
    case Type::kNumber:
      return "a number";
    case Type::kBoolean:
      return "true or false";
    case Type::kString:
      return "a string";
    case Type::kPath:
      return "a path";
    case Type::kInterval:
      return "an interval";
    case Type::kDuration:
      return "a time";
    case Type::kBytes:
      return "a size";
    default:
      return "a value";
  }
}

/// A scalar that was understood: its canonical text, and the number that bounds apply to.
struct Understood {
  std::optional<std::string> text;
  std::optional<double> number;
  std::string hint;
};

template <class T, class Format, class Number>
Understood understood(const Parsed<T>& parsed, Format format, Number number) {
  if (!parsed.value) return {std::nullopt, std::nullopt, parsed.hint};
  return {format(*parsed.value), number(*parsed.value), {}};
}

Understood understand(Type type, const std::string& text) {
  const auto no_number = [](const auto&) { return std::optional<double>(); };
  switch (type) {
    case Type::kInteger:
      return understood(
          parse_integer(text), [](int64_t value) { return std::to_string(value); },
          [](int64_t value) { return std::optional(static_cast<double>(value)); });
    case Type::kNumber:
      return understood(parse_number(text), format_number, [](double value) { return std::optional(value); });
    case Type::kBoolean:
      return understood(
          parse_boolean(text), [](bool value) { return std::string(value ? "true" : "false"); }, no_number);
    case Type::kInterval:
      return understood(parse_interval(text), format_interval, [](Interval value) {
        return value.is_off() ? std::nullopt : std::optional(static_cast<double>(value.count));
      });
    case Type::kDuration:
      return understood(parse_duration(text), format_duration,
                        [](Duration value) { return std::optional(static_cast<double>(value.seconds)); });
    case Type::kBytes:
      return understood(parse_bytes(text), format_bytes,
                        [](Bytes value) { return std::optional(static_cast<double>(value.bytes)); });
    default:
      return {text, std::nullopt, {}};
  }
}

bool is_choice(const std::string& value, const std::vector<std::string>& choices) {
  return std::any_of(choices.begin(), choices.end(), [&](const std::string& choice) {
    if (choice == value) return true;
    if (!ends_with(choice, ":N")) return false;
    const std::string_view prefix = std::string_view(choice).substr(0, choice.size() - 1);
    return starts_with(value, prefix) && value.size() > prefix.size() && value.size() < prefix.size() + 6 &&
           value.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
  });
}

bool is_file_name(const std::string& text) {
  return !text.empty() && text.size() <= 128 && text[0] != '.' &&
         text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string::npos;
}

bool in_range(double value, const Constraint& constraint) {
  const bool above = constraint.least_excluded ? value > constraint.least : value >= constraint.least;
  const bool below = constraint.most_excluded ? value < constraint.most : value <= constraint.most;
  return above && below;
}

std::string bounds(const Constraint& constraint) {
  const bool lower = constraint.least != -std::numeric_limits<double>::infinity();
  const bool upper = constraint.most != std::numeric_limits<double>::infinity();
  const std::string least = format_number(constraint.least), most = format_number(constraint.most);
  if (lower && upper)
    return fmt::format("must lie in {}{}, {}{}", constraint.least_excluded ? '(' : '[', least, most,
                       constraint.most_excluded ? ')' : ']');
  if (lower) return fmt::format("must be {} {}", constraint.least_excluded ? "greater than" : "at least", least);
  return fmt::format("must be {} {}", constraint.most_excluded ? "less than" : "at most", most);
}

class Checker {
 public:
  Checker(const Key& key, const Variant& variant, const CheckContext& context)
      : key_(key), constraint_(variant.constraint), context_(context) {}

  std::optional<Node> value(const Node& node) {
    if (key_.type.type == Type::kFree) return node;
    if (key_.type.shape == Shape::kOne) return scalar(node, key_.path);
    if (node.is_list()) return list(node);
    if (key_.type.shape == Shape::kOneOrMany && node.is_scalar()) {
      const Node only = Node{.kind = Node::Kind::kList, .children = {node}, .place = node.place};
      return list(only);
    }
    fail("E-type", node, fmt::format("'{}' is {} but must be a list", key_.path, shown(node)),
         node.is_scalar() ? fmt::format("write [{}]", shown(node)) : "");
    return std::nullopt;
  }

 private:
  std::nullopt_t fail(const std::string& id, const Node& node, const std::string& message, const std::string& hint) {
    context_.diagnostics.error(id, node.place, message, hint);
    return std::nullopt;
  }

  std::optional<Node> list(const Node& node) {
    Node result = Node{.kind = Node::Kind::kList, .flow = true, .place = node.place};
    bool good = true;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const std::string name = node.children.size() == 1 ? key_.path : fmt::format("{}.{}", key_.path, i);
      auto item = scalar(node.children[i], name);
      good = good && item;
      if (item) result.children.push_back(std::move(*item));
    }
    const size_t count = node.children.size();
    if (count < constraint_.least_items || count > constraint_.most_items) {
      const std::string allowed =
          constraint_.least_items == constraint_.most_items ? fmt::format("exactly {}", constraint_.least_items)
          : count < constraint_.least_items                 ? fmt::format("at least {}", constraint_.least_items)
                                                            : fmt::format("at most {}", constraint_.most_items);
      return fail(
          "E-range", node,
          fmt::format("'{}' has {} element{} but must have {}", key_.path, count, count == 1 ? "" : "s", allowed), "");
    }
    if (!good) return std::nullopt;
    return result;
  }

  std::optional<Node> scalar(const Node& node, const std::string& name) {
    const Type type = key_.type.type;
    if (!node.is_scalar()) return wrong_type(node, name, "");
    const bool is_text = type == Type::kString || type == Type::kPath;
    if (!is_text && node.text.find("${") != std::string::npos)
      return wrong_type(node, name, "'${...}' is replaced in strings and paths only");
    const auto text = is_text ? context_.interpolated(key_, node) : std::optional(node.text);
    if (!text) return std::nullopt;
    Node result = Node::scalar(*text);
    result.place = node.place;
    if (key_.type.or_word && is_choice(*text, constraint_.choices)) return result;
    const Understood meaning = understand(type, *text);
    if (!meaning.text) return wrong_type(node, name, meaning.hint);
    if (type == Type::kPath && text->empty()) return wrong_type(node, name, "");
    if (meaning.number && !in_range(*meaning.number, constraint_))
      return fail("E-range", node, fmt::format("'{}' is {} but {}", name, shown(node), bounds(constraint_)), "");
    if (is_text && !key_.type.or_word && !constraint_.choices.empty() && !is_choice(*text, constraint_.choices))
      return fail("E-choice", node,
                  fmt::format("'{}' is '{}' but must be one of {}", name, shown(node), join(constraint_.choices, ", ")),
                  hint_for_choice(key_.path, *text, constraint_.choices, context_.number));
    if (constraint_.is_file_name && !is_file_name(*text))
      return fail("E-name", node, fmt::format("'{}' is '{}' but has to do as the name of a folder", name, shown(node)),
                  "use letters, digits, '.', '_' and '-', at most 128, not starting with '.'");
    result.text = *meaning.text;
    return result;
  }

  std::nullopt_t wrong_type(const Node& node, const std::string& name, const std::string& hint) {
    std::string expected = wanted(key_.type.type);
    if (key_.type.or_word && !constraint_.choices.empty()) expected += " or " + join(constraint_.choices, " or ");
    return fail("E-type", node, fmt::format("'{}' is {} but must be {}", name, shown(node), expected), hint);
  }

  const Key& key_;
  const Constraint& constraint_;
  const CheckContext& context_;
};

}  // namespace

std::optional<Node> check_value(const Key& key, const Variant& variant, const Node& value,
                                const CheckContext& context) {
  return Checker(key, variant, context).value(value);
}

std::string canonical_text(const Key& key, const Node& value) {
  Node canonical = value;
  if (value.is_scalar()) {
    canonical.text = understand(key.type.type, value.text).text.value_or(value.text);
  } else {
    for (Node& child : canonical.children)
      if (child.is_scalar()) child.text = understand(key.type.type, child.text).text.value_or(child.text);
  }
  const bool wrap = key.type.shape != Shape::kOne && value.is_scalar();
  return to_flow_yaml(wrap ? Node::list({canonical}) : canonical);
}

}  // namespace sst::recipe
