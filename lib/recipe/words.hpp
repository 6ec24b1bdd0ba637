#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

/// The words an options struct's describe() may use. An options struct lives beside the code that uses it and names
/// each of its fields once:
///
///     struct LoraOptions {
///       int64_t rank = 8;
///       std::optional<double> alpha;  // not given: = rank
///       template <class Field>
///       void describe(Field& field) {
///         field(rank, "rank", recipe::at_least(1), "rank of the update B A");
///         field(alpha, "alpha", recipe::positive(), "the update is scaled by alpha / rank; default: rank");
///       }
///     };
///
/// Reading, range checks, the refusal of unknown keys, overrides, JSON Schema, docs/recipes.md and the resolved recipe
/// all come from that one visit. The member's initialiser is the default; std::optional is "not given".
/// Field types: int64_t, double, bool, std::string, Path, Interval, Duration, Bytes, std::optional of these, and
/// std::vector of int64_t, double, std::string or Path.
namespace sst::recipe {

/// A point in training: `500` or `500step`, `2epoch`, `50Mtoken`, `30min`, `off`.
struct Interval {
  enum class Unit { kOff, kStep, kEpoch, kToken, kSecond };
  Unit unit = Unit::kOff;
  int64_t count = 0;

  static Interval off() { return {}; }
  static Interval steps(int64_t count) { return {Unit::kStep, count}; }
  static Interval epochs(int64_t count) { return {Unit::kEpoch, count}; }
  bool is_off() const { return unit == Unit::kOff; }
  bool operator==(const Interval&) const = default;
};

/// `90s`, `30min`, `4h`, `2d`, joined `1h30min`.
struct Duration {
  int64_t seconds = 0;
  bool operator==(const Duration&) const = default;
};

/// `512MiB`, `8GiB`.
struct Bytes {
  int64_t bytes = 0;
  bool operator==(const Bytes&) const = default;
};

/// A path; the only strings in which ${env:NAME} is replaced.
struct Path {
  std::string text;
  bool operator==(const Path&) const = default;
};

/// What a value must satisfy. Bounds apply to numbers (and to each element of a list), choices to strings.
struct Constraint {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool least_excluded = false;
  std::vector<std::string> choices;
  bool is_required = false;  ///< the recipe must give it; there is no default

  Constraint required() const {
    Constraint copy = *this;
    copy.is_required = true;
    return copy;
  }
};

inline Constraint anything() { return {}; }
inline Constraint at_least(double least) { return {.least = least}; }
inline Constraint between(double least, double most) { return {.least = least, .most = most}; }
inline Constraint positive() { return {.least = 0, .least_excluded = true}; }
inline Constraint fraction() { return {.least = 0, .most = 1}; }
inline Constraint one_of(std::vector<std::string> choices) {
  Constraint constraint;
  constraint.choices = std::move(choices);
  return constraint;
}

}  // namespace sst::recipe
