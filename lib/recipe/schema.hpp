#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recipe/field.hpp"
#include "recipe/node.hpp"
#include "recipe/words.hpp"

namespace sst::recipe {

/// When a key means something: each selector key must have one of its values. No clauses: always.
struct Condition {
  struct Clause {
    std::string selector;
    std::vector<std::string> values;
    bool operator==(const Clause&) const = default;
  };
  std::vector<Clause> clauses;

  Condition and_when(std::string selector, std::vector<std::string> values) const;
  bool operator==(const Condition&) const = default;
};

/// `only_when("method.name", {"lora"})`, `only_when("task", {...}).and_when("data.format", {...})`.
Condition only_when(std::string selector, std::vector<std::string> values);
Condition always();

/// One description of a key. A key that several options structs describe has one variant for each description
/// that differs (other default, other range); the one with the most particular condition that holds is the
/// one that counts.
struct Variant {
  std::vector<Condition> when;  ///< any of these; an empty list never occurs
  bool optional = false;
  Constraint constraint;
  Node default_value;  ///< canonical; null where there is none
  std::string doc;
};

struct Key {
  std::string path;  ///< "method.rank"
  KeyType type;
  std::vector<Variant> variants;

  std::string section() const;  ///< "method"; "eval.decode" of "eval.decode.beam_size"; "" at the top level
  std::string leaf() const;     ///< "rank"
};

/// The one table of every key, in the order of the describe() calls: the parser, `validate`, `show`, JSON
/// Schema and docs/recipes.md all read it. Starts with `recipe_version` and `inherit`, which belong to the
/// language itself.
class Schema {
 public:
  Schema();

  /// Adds the fields of Options under `section` ("" = top level). A key described before gets one more
  /// variant; it must have the same type (std::logic_error). A name may be a key for one task and a section for another
  /// (`data.train` and `data.train.src`): a mapping is then read as the section.
  template <class Options>
  void describe(const std::string& section, const Condition& when = always());

  void section_doc(const std::string& section, const std::string& doc);

  /// Lets `section: name` stand for a mapping: preset("precision", "fp32", {{"compute", "fp32"}, …}).
  void preset(const std::string& section, const std::string& name,
              const std::vector<std::pair<std::string, std::string>>& values);

  const std::vector<Key>& keys() const { return keys_; }
  const Key* find(std::string_view path) const;
  bool is_section(std::string_view path) const;
  /// Every section in the order of its first key, nested ones ("eval.decode") included, without "".
  const std::vector<std::string>& sections() const { return sections_; }
  std::string doc_of_section(const std::string& section) const;
  /// Names below `section`: its keys and nested sections.
  std::vector<std::string> names_in(const std::string& section) const;

  using Preset = std::vector<std::pair<std::string, std::string>>;
  /// Presets of a section by name; nullptr when it has none.
  const std::vector<std::pair<std::string, Preset>>* presets(const std::string& section) const;

  void add(const std::string& path, KeyType type, Variant variant);

 private:
  std::vector<Key> keys_;
  std::map<std::string, size_t, std::less<>> index_;
  std::vector<std::string> sections_;
  std::map<std::string, std::string> section_docs_;
  std::map<std::string, std::vector<std::pair<std::string, Preset>>> presets_;
};

std::string join_path(const std::string& section, const std::string& name);

/// "whole number ≥ 1", "list of globs", …: type, range and choices in the words of docs/recipes.md.
std::string describe_type(const Key& key, const Variant& variant);
/// "task: node_classification, link_prediction"; empty when always valid.
std::string describe_condition(const Variant& variant);

/// Throws UserError, with the nearest name, when the schema has no such section.
void require_section(const Schema& schema, const std::string& section);

namespace detail {

/// The visitor that fills the table.
struct Describer {
  Schema& schema;
  const std::string& section;
  const Condition& when;

  template <class T>
  void operator()(const T& member, const std::string& name, const Constraint& constraint, const std::string& doc) {
    schema.add(join_path(section, name), FieldType<T>::key_type,
               {{when},
                FieldType<T>::optional,
                constraint,
                constraint.is_required ? Node{} : FieldType<T>::to_node(member),
                doc});
  }
};

}  // namespace detail

template <class Options>
void Schema::describe(const std::string& section, const Condition& when) {
  Options defaults{};
  detail::Describer describer{*this, section, when};
  defaults.describe(describer);
}

}  // namespace sst::recipe
