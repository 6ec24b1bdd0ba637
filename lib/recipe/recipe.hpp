#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "recipe/field.hpp"
#include "recipe/node.hpp"
#include "recipe/place.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// One key that applies to this recipe, with its value in canonical spelling.
struct Setting {
  std::string path;
  KeyType type;
  Node value;  ///< null: not given and without a default
  Node default_value;
  bool given = false;  ///< by a file, a sweep or the command line
  bool sound = true;   ///< false when the written value was refused and the default stands in for it
};

/// A key on which two recipes differ; "" where a recipe has no value.
struct Difference {
  std::string key, ours, theirs;
};

/// A recipe with every value resolved: what was written, what was inherited and what is the default, each
/// with its place. Options structs read themselves from it; domain checks ask it where a value stands.
class Recipe {
 public:
  Recipe() = default;
  Recipe(std::vector<Setting> settings, std::vector<std::shared_ptr<const Source>> sources,
         std::vector<std::string> overrides, Node tree);

  /// The section as the struct's describe() names it; a field whose key does not apply here keeps its
  /// initialiser.
  template <class Options>
  Options read(const std::string& section) const;

  /// One value: `recipe.value<std::string>("task")`. Throws std::logic_error when the key does not apply
  /// here.
  template <class T>
  T value(const std::string& path) const;

  /// Does the key have a value here, written or default? Does the section have a written value?
  bool has(const std::string& path) const;
  /// Was it written (file, sweep, command line), as a key or, for a section, one of its keys?
  bool given(const std::string& path) const;
  /// False when loading reported an error in this key or section, and a default stands in.
  bool sound(const std::string& path) const;
  /// Where the value stands; for a default, where its section stands, else the file: what an error should
  /// point at.
  Place place(const std::string& path) const;
  /// The value as one line of YAML; "" when there is none.
  std::string text(const std::string& path) const;
  const Setting* find(const std::string& path) const;
  const std::vector<Setting>& settings() const { return settings_; }

  /// The resolved recipe: complete, grouped by section, reads back to itself without any other file.
  std::string to_yaml() const;
  /// The same with the file and line of each value beside it.
  std::string to_yaml_with_origins() const;
  /// The bytes of every file, ancestors first, each under a marker, then the overrides as comments.
  std::string input_text() const;

  /// "key: value" lines of everything that decides the result, sorted: what hash() is taken over.
  std::string canonical() const;
  std::string hash() const;   ///< SHA-256 of canonical(), 64 hexadecimal digits
  std::string hash8() const;  ///< its first 8, which name the run directory

  std::vector<Difference> differences(const Recipe& other) const;

  /// The same recipe without the settings of a section ("sweep"), for the recipe of a sweep's point.
  Recipe without(const std::string& section) const;

 private:
  std::vector<Setting> settings_;                       ///< in the order of the schema
  std::vector<std::shared_ptr<const Source>> sources_;  ///< ancestors first, the recipe itself last
  std::vector<std::string> overrides_;
  Node tree_;  ///< as merged: where sections stand
};

/// Does the key decide the result? Names, places, logging and how long to train do not.
bool in_hash(const std::string& path);
/// May the key differ between a run and its resumption? A stop condition only when it grew:
/// is_stop_condition().
bool may_differ_on_resume(const std::string& path);
bool is_stop_condition(const std::string& path);

namespace detail {

struct Reader {
  const Recipe& recipe;
  const std::string& section;

  template <class T>
  void operator()(T& member, const std::string& name, const Constraint&, const std::string&) {
    if (const Setting* setting = recipe.find(join_path(section, name)))
      if (FieldType<T>::optional || !setting->value.is_null()) member = FieldType<T>::from_node(setting->value);
  }
};

const Setting& required_setting(const Recipe& recipe, const std::string& path, KeyType type);

}  // namespace detail

template <class Options>
Options Recipe::read(const std::string& section) const {
  Options options{};
  detail::Reader reader{*this, section};
  options.describe(reader);
  return options;
}

template <class T>
T Recipe::value(const std::string& path) const {
  const Node& node = detail::required_setting(*this, path, FieldType<T>::key_type).value;
  if (node.is_null() && !FieldType<T>::optional) return T{};  // a required key that is missing, after its error
  return FieldType<T>::from_node(node);
}

}  // namespace sst::recipe
