#include "recipe/json_schema.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/text.hpp"

namespace sst::recipe {
namespace {

using Json = nlohmann::ordered_json;

/// The forms of a number that YAML itself takes for a string.
constexpr const char* kIntegerText = "^[+-]?[0-9][0-9_]*(\\.[0-9]+)?([eE][0-9]+)?[KMB]?$";
constexpr const char* kNumberText = "^[+-]?([0-9][0-9_]*)?\\.?[0-9]*([eE][+-]?[0-9]+)?$";
constexpr const char* kDurationText = "^([0-9]+d)?([0-9]+h)?([0-9]+min)?([0-9]+s)?$";
constexpr const char* kBytesText = "^[0-9][0-9_]*[KM]?(B|KiB|MiB|GiB|TiB)$";
constexpr const char* kIntervalText =
    "^(off|[0-9][0-9_]*[KMB]?(step|epoch|token)?|([0-9]+d)?([0-9]+h)?([0-9]+min)?([0-9]+s)?)$";

Json text_of(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

/// Bounds are kept as doubles; a whole one is shown as such.
Json bound(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<int64_t>(value);
  return value;
}

void add_bounds(Json& json, const Constraint& constraint) {
  if (constraint.least != -std::numeric_limits<double>::infinity())
    json[constraint.least_excluded ? "exclusiveMinimum" : "minimum"] = bound(constraint.least);
  if (constraint.most != std::numeric_limits<double>::infinity())
    json[constraint.most_excluded ? "exclusiveMaximum" : "maximum"] = bound(constraint.most);
}

Json string_schema(const Constraint& constraint) {
  if (constraint.is_file_name) return text_of("^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$");
  // Any scalar is a string where the schema says so: `src_lang: no`.
  if (constraint.choices.empty()) return {{"type", {"string", "number", "boolean"}}};
  Json names = Json::array(), patterns = Json::array();
  for (const std::string& choice : constraint.choices) {
    if (ends_with(choice, ":N"))
      patterns.push_back(text_of(("^" + choice.substr(0, choice.size() - 1) + "[0-9]+$").c_str()));
    else
      names.push_back(choice);
  }
  if (patterns.empty()) return {{"enum", names}};
  Json any = Json::array({Json{{"enum", names}}});
  any.insert(any.end(), patterns.begin(), patterns.end());
  return {{"anyOf", any}};
}

Json scalar_schema(const KeyType& type, const Constraint& constraint) {
  switch (type.type) {
    case Type::kInteger:
    case Type::kNumber: {
      const bool whole = type.type == Type::kInteger;
      Json number = {{"type", whole ? "integer" : "number"}};
      add_bounds(number, constraint);
      Json any = Json::array({number, text_of(whole ? kIntegerText : kNumberText)});
      if (type.or_word) any.push_back(Json{{"enum", constraint.choices}});
      return {{"anyOf", any}};
    }
    case Type::kBoolean:
      return {{"type", "boolean"}};
    case Type::kString:
      return string_schema(constraint);
    case Type::kPath:
      return {{"type", "string"}};
    case Type::kInterval:
      return {{"anyOf", Json::array({Json{{"type", "integer"}, {"minimum", 1}}, text_of(kIntervalText)})}};
    case Type::kDuration:
      return text_of(kDurationText);
    case Type::kBytes:
      return text_of(kBytesText);
    default:
      return Json::object();
  }
}

Json variant_schema(const Key& key, const Variant& variant) {
  const Json one = scalar_schema(key.type, variant.constraint);
  if (key.type.shape == Shape::kOne) return one;
  Json list = {{"type", "array"}, {"items", one}};
  if (variant.constraint.least_items > 0) list["minItems"] = variant.constraint.least_items;
  if (variant.constraint.most_items != std::numeric_limits<size_t>::max())
    list["maxItems"] = variant.constraint.most_items;
  if (key.type.shape == Shape::kList) return list;
  return {{"anyOf", Json::array({one, list})}};
}

/// A default as JSON: numbers and booleans as such.
Json default_of(const Key& key, const Node& node) {
  if (node.is_list()) {
    Json list = Json::array();
    for (const Node& child : node.children) list.push_back(default_of(key, child));
    return list;
  }
  const bool whole = key.type.type == Type::kInteger || key.type.type == Type::kInterval;
  if (whole && parse_integer(node.text).value) return *parse_integer(node.text).value;
  if (key.type.type == Type::kNumber && parse_number(node.text).value) return *parse_number(node.text).value;
  if (key.type.type == Type::kBoolean) return node.text == "true";
  return node.text;
}

Json key_schema(const Key& key) {
  std::vector<std::string> docs;
  Json any = Json::array();
  bool optional = false;
  for (const Variant& variant : key.variants) {
    const std::string condition = describe_condition(variant);
    docs.push_back(variant.doc + (condition.empty() ? "" : " (" + condition + ")"));
    const Json one = variant_schema(key, variant);
    if (std::find(any.begin(), any.end(), one) == any.end()) any.push_back(one);
    optional = optional || variant.optional;
  }
  if (optional) any.push_back(Json{{"type", "null"}});
  Json json = any.size() == 1 ? any[0] : Json{{"anyOf", any}};
  json["description"] = join(docs, "; ");
  if (key.variants.size() == 1 && !key.variants[0].default_value.is_null())
    json["default"] = default_of(key, key.variants[0].default_value);
  return json;
}

Json section_schema(const Schema& schema, const std::string& section) {
  Json properties = Json::object();
  for (const std::string& name : schema.names_in(section)) {
    const std::string path = join_path(section, name);
    const Key* key = schema.find(path);
    if (key && schema.is_section(path))
      properties[name] = {{"anyOf", Json::array({key_schema(*key), section_schema(schema, path)})}};
    else
      properties[name] = key ? key_schema(*key) : section_schema(schema, path);
  }
  Json mapping = {{"type", section.empty() ? Json("object") : Json({"object", "null"})},
                  {"properties", properties},
                  {"additionalProperties", false}};
  const std::string doc = schema.doc_of_section(section);
  const auto* presets = schema.presets(section);
  if (!presets) {
    if (!doc.empty()) mapping["description"] = doc;
    return mapping;
  }
  Json names = Json::array();
  for (const auto& [name, values] : *presets) names.push_back(name);
  Json json = {{"anyOf", Json::array({Json{{"enum", names}}, mapping})}};
  if (!doc.empty()) json["description"] = doc;
  return json;
}

}  // namespace

nlohmann::ordered_json json_schema(const Schema& schema, const std::string& section) {
  if (!section.empty()) require_section(schema, section);
  Json json = {{"$schema", "http://json-schema.org/draft-07/schema#"},
               {"title", section.empty() ? "sst-train recipe" : "sst-train recipe, section '" + section + "'"}};
  json.update(section_schema(schema, section));
  if (section.empty()) json["required"] = {"recipe_version"};
  return json;
}

}  // namespace sst::recipe
