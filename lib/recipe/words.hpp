#pragma once

#include <cstdint>
#include <limits>
#include <optional>
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
/// Field types: int64_t, double, bool, std::string, Path, Interval, Duration, Bytes; std::vector, OneOrMany and OrWord of
/// these; std::optional of all of them; Node for a value with a grammar of its own. A key may hold dots
/// ("decode.beam_size"): it then lies in a mapping of the section.
namespace sst::recipe {

/// One optimizer step in the other units of an Interval.
struct StepUnits {
  int64_t per_epoch = 1;
  int64_t tokens = 0;  ///< 0 where the task counts none
};

/// A point in training: `500` or `500step`, `2epoch`, `50Mtoken`, `30min`, `off`.
struct Interval {
  enum class Unit { kOff, kStep, kEpoch, kToken, kSecond };
  Unit unit = Unit::kOff;
  int64_t count = 0;

  static Interval off() { return {}; }
  static Interval steps(int64_t count) { return {Unit::kStep, count}; }
  static Interval epochs(int64_t count) { return {Unit::kEpoch, count}; }
  bool is_off() const { return unit == Unit::kOff; }
  /// Optimizer steps, tokens rounded up to whole ones; nothing when it is off, a time, or counts tokens where there
  /// are none.
  std::optional<int64_t> in_steps(const StepUnits& units) const {
    if (unit == Unit::kStep) return count;
    if (unit == Unit::kEpoch) return count * units.per_epoch;
    if (unit == Unit::kToken && units.tokens > 0) return (count + units.tokens - 1) / units.tokens;
    return std::nullopt;
  }
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

/// A list that may be written as its only element: `rows: method.name` or `rows: [method.name, method.rank]`.
template <class T>
struct OneOrMany {
  std::vector<T> values;
  bool operator==(const OneOrMany&) const = default;
};

/// A number or a word: `iterations_per_round: 12` or `auto`. The words are the choices of the constraint.
template <class T>
struct OrWord {
  std::optional<T> value;
  std::string word;  ///< empty when there is a value
  bool operator==(const OrWord&) const = default;
};

/// What a value must satisfy. Bounds apply to numbers, times, sizes and interval counts (and to each element of a list),
/// choices to strings; a choice ending in ":N" stands for any whole number there ("cuda:N").
struct Constraint {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool least_excluded = false;
  bool most_excluded = false;
  std::vector<std::string> choices = {};
  bool is_required = false;   ///< the recipe must give it; there is no default
  bool is_file_name = false;  ///< [A-Za-z0-9._-]{1,128}, not starting with a dot
  size_t least_items = 0;     ///< of a list
  size_t most_items = std::numeric_limits<size_t>::max();

  Constraint required() const {
    Constraint copy = *this;
    copy.is_required = true;
    return copy;
  }

  /// `between(1, 64).or_word("auto")`, for OrWord fields.
  Constraint or_word(std::string word) const {
    Constraint copy = *this;
    copy.choices.push_back(std::move(word));
    return copy;
  }

  /// `fraction().items(2, 2)`: how many elements a list may have.
  Constraint items(size_t fewest, size_t largest) const {
    Constraint copy = *this;
    copy.least_items = fewest;
    copy.most_items = largest;
    return copy;
  }

  bool operator==(const Constraint&) const = default;
};

inline Constraint anything() { return {}; }
inline Constraint at_least(double least) { return {.least = least}; }
inline Constraint between(double least, double most) { return {.least = least, .most = most}; }
inline Constraint positive() { return {.least = 0, .least_excluded = true}; }
inline Constraint fraction() { return {.least = 0, .most = 1}; }
inline Constraint fraction_below_one() { return {.least = 0, .most = 1, .most_excluded = true}; }
inline Constraint file_name() { return {.is_file_name = true}; }
inline Constraint one_of(std::vector<std::string> choices) {
  Constraint constraint;
  constraint.choices = std::move(choices);
  return constraint;
}

}  // namespace sst::recipe
