#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace sst {

/// Named entries in the order they were added: the one list that answers "which are there", makes the chosen one, and
/// tells an unknown name its nearest neighbour. Filled by an explicit list in a registry.cpp, because static
/// initialisers vanish from static libraries.
template <class Entry>
class Registry {
 public:
  explicit Registry(std::string noun) : noun_(std::move(noun)) {}

  void add(const std::string& name, Entry entry) { entries_.emplace_back(name, std::move(entry)); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  /// Throws UserError naming the nearest entry when `name` is unknown.
  const Entry& at(const std::string& name) const {
    for (const auto& [key, entry] : entries_)
      if (key == name) return entry;
    const auto nearest = did_you_mean(name, names());
    throw UserError("unknown " + noun_ + " '" + name + "'",
                    nearest ? "did you mean '" + *nearest + "'?" : "known: " + join(names(), ", "));
  }

  const std::vector<std::pair<std::string, Entry>>& entries() const { return entries_; }

 private:
  std::string noun_;
  std::vector<std::pair<std::string, Entry>> entries_;
};

/// The name of an entry that compares equal.
template <class Entry>
std::string name_of(const Registry<Entry>& registry, const Entry& wanted) {
  for (const auto& [name, entry] : registry.entries())
    if (entry == wanted) return name;
  require(false, "an entry is in no registry");
  return {};
}

}  // namespace sst
