#include "recipe/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.hpp"
#include "recipe/check.hpp"
#include "recipe/report_options.hpp"
#include "recipe/synonyms.hpp"

namespace sst::recipe {
namespace {

constexpr size_t kMostPoints = 10'000;

/// Keys that one position on an axis sets, in order.
using Row = std::vector<std::pair<std::string, Node>>;
using Axis = std::vector<Row>;

struct Plan {
  std::vector<Axis> axes;  ///< the last one is the fastest
  std::vector<std::pair<Row, Place>> exclude;
};

class PlanReader {
 public:
  PlanReader(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics)
      : schema_(schema),
        diagnostics_(diagnostics),
        options_(recipe.read<SweepOptions>("sweep")),
        seeds_place_(recipe.place("sweep.seeds")) {}

  /// Nothing after an error.
  std::optional<Plan> read() {
    if (options_.axes) read_axes(*options_.axes);
    if (options_.tied) read_tied(*options_.tied);
    if (options_.seeds) read_seeds();
    if (options_.exclude) {
      for (const Node& row : rows_of(*options_.exclude, "exclude"))
        plan_.exclude.emplace_back(read_row(row, "exclude"), row.place);
    }
    size_t points = 1;
    for (const Axis& axis : plan_.axes) points = std::min(points * axis.size(), kMostPoints + 1);
    if (points > kMostPoints)
      fail((options_.axes ? *options_.axes : *options_.tied).key_place,
           fmt::format("the sweep has more than {} points", with_thousands(kMostPoints)),
           "split it into several recipes");
    if (!good_) return std::nullopt;
    return std::move(plan_);
  }

 private:
  void fail(const Place& place, const std::string& message, const std::string& hint = {}) {
    good_ = false;
    diagnostics_.error("E-sweep", place, message, hint);
  }

  bool is_sweepable(const std::string& key, const Place& place) {
    if (!schema_.find(key)) {
      good_ = false;
      const std::string hint = hint_for_unknown_key(key, schema_, true);
      diagnostics_.error(
          "E-unknown-key", place, fmt::format("the sweep names the unknown key '{}'", key),
          schema_.is_section(key) ? "name one of its keys: " + key + "." + schema_.names_in(key)[0] : hint);
      return false;
    }
    const std::string section = key.substr(0, key.find('.'));
    const bool own = section == "sweep" || section == "report" || key == "inherit" || key == "recipe_version";
    if (own) fail(place, fmt::format("'{}' cannot be swept", key));
    return !own;
  }

  void take(const std::string& key, const std::string& by, const Place& place) {
    const auto taken = std::find_if(taken_.begin(), taken_.end(), [&](const auto& one) { return one.first == key; });
    if (taken == taken_.end())
      taken_.emplace_back(key, by);
    else if (taken->second != by)
      fail(place, fmt::format("'{}' stands in 'sweep.{}' and in 'sweep.{}'", key, taken->second, by),
           "keep it in one of them");
  }

  void read_axes(const Node& axes) {
    if (!axes.is_mapping()) {
      fail(axes.place, fmt::format("'sweep.axes' is {} but must be a mapping from keys to lists", shown(axes)),
           "for example {method.rank: [1, 2]}");
      return;
    }
    for (const Node& child : axes.children) {
      if (!is_sweepable(child.key, child.key_place)) continue;
      take(child.key, "axes", child.key_place);
      if (!child.is_list() || child.children.empty()) {
        fail(child.place, fmt::format("the values of '{}' must be a list that is not empty", child.key),
             child.is_scalar() ? fmt::format("write [{}]", shown(child)) : "");
        continue;
      }
      Axis axis;
      for (const Node& value : child.children) axis.push_back({{child.key, value}});
      plan_.axes.push_back(std::move(axis));
    }
  }

  std::vector<Node> rows_of(const Node& list, const std::string& name) {
    if (list.is_list() && !list.children.empty()) return list.children;
    fail(list.place, fmt::format("'sweep.{}' must be a list of mappings that is not empty", name),
         "for example [{method.name: full, model.dropout: 0.9}]");
    return {};
  }

  Row read_row(const Node& row, const std::string& name) {
    Row keys;
    if (!row.is_mapping() || row.children.empty()) {
      fail(row.place, fmt::format("a row of 'sweep.{}' must be a mapping of keys, not {}", name, shown(row)));
      return keys;
    }
    for (const Node& child : row.children)
      if (is_sweepable(child.key, child.key_place)) keys.emplace_back(child.key, child);
    return keys;
  }

  void read_tied(const Node& tied) {
    Axis axis;
    for (const Node& row : rows_of(tied, "tied")) {
      axis.push_back(read_row(row, "tied"));
      for (const auto& [key, value] : axis.back()) take(key, "tied", value.key_place);
    }
    if (!axis.empty()) plan_.axes.push_back(std::move(axis));
  }

  void read_seeds() {
    Axis axis;
    take("seed", "seeds", seeds_place_);
    for (const int64_t seed : *options_.seeds) axis.push_back({{"seed", seed_node(seed)}});
    plan_.axes.push_back(std::move(axis));
  }

  Node seed_node(int64_t seed) const {
    Node node = Node::scalar(std::to_string(seed));
    node.set_places(seeds_place_);
    return node;
  }

  const Schema& schema_;
  Diagnostics& diagnostics_;
  const SweepOptions options_;
  const Place seeds_place_;
  Plan plan_;
  std::vector<std::pair<std::string, std::string>> taken_;  ///< key, and the part of the sweep it stands in
  bool good_ = true;
};

bool has_own_sweep(const Recipe& recipe) {
  return recipe.has("sweep.axes") || recipe.has("sweep.tied") || recipe.has("sweep.seeds");
}

/// The value at a point, canonical: what the point sets, else what the recipe says.
std::string value_at(const Row& point, const std::string& key, const Recipe& base, const Schema& schema) {
  for (const auto& [name, value] : point)
    if (name == key) return canonical_text(*schema.find(key), value);
  return base.text(key);
}

bool matches(const Row& excluded, const Row& point, const Recipe& base, const Schema& schema) {
  return std::all_of(excluded.begin(), excluded.end(), [&](const auto& entry) {
    return value_at(point, entry.first, base, schema) == canonical_text(*schema.find(entry.first), entry.second);
  });
}

/// The rows of every axis joined, the last axis fastest, without what is excluded.
std::vector<Row> points_of(const Plan& plan, const Recipe& base, const Schema& schema, Diagnostics& diagnostics) {
  std::vector<Row> points = {{}};
  for (const Axis& axis : plan.axes) {
    std::vector<Row> longer;
    for (const Row& point : points)
      for (const Row& row : axis) {
        longer.push_back(point);
        longer.back().insert(longer.back().end(), row.begin(), row.end());
      }
    points = std::move(longer);
  }
  for (const auto& [excluded, place] : plan.exclude) {
    const size_t removed =
        std::erase_if(points, [&](const Row& point) { return matches(excluded, point, base, schema); });
    if (removed == 0) diagnostics.warning("W-sweep", place, "this row excludes no point of the sweep");
  }
  return points;
}

std::vector<Override> overrides_of(const Row& point) {
  std::vector<Override> overrides;
  for (const auto& [key, value] : point) {
    Place place = value.place;
    place.kind = Place::Kind::kSweep;
    Node copy = value;
    copy.set_places(place);
    overrides.push_back({key, false, std::move(copy), place});
  }
  return overrides;
}

/// Only what the point really changed: not what was dropped, nor what the command line set over it.
std::vector<std::string> needed_overrides(const Row& point, const Recipe& recipe, const LoadOptions& options) {
  std::vector<std::string> needed;
  for (const auto& [key, value] : point) {
    const Setting* setting = recipe.find(key);
    const bool counts = setting && setting->value.place.kind == Place::Kind::kSweep;
    if (counts) needed.push_back(key + "=" + to_flow_yaml(value));
  }
  needed.insert(needed.end(), options.overrides.begin(), options.overrides.end());
  return needed;
}

void note_differing_keys(const Plan& plan, std::vector<SweepPoint>& points) {
  std::vector<std::string> keys;
  for (const Axis& axis : plan.axes)
    for (const Row& row : axis)
      for (const auto& [key, value] : row)
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  for (const std::string& key : keys) {
    std::set<std::string> values;
    for (const SweepPoint& point : points) values.insert(point.recipe.text(key));
    if (values.size() < 2) continue;
    for (SweepPoint& point : points)
      if (point.recipe.has(key)) point.differing.emplace_back(key, point.recipe.text(key));
  }
}

void add_problems(const Diagnostics& found, Diagnostics& diagnostics) {
  for (const Diagnostic& one : found.all()) {
    if (one.severity == Severity::kError) diagnostics.error(one.id, one.place, one.message, one.hint);
    if (one.severity == Severity::kWarning) diagnostics.warning(one.id, one.place, one.message, one.hint);
  }
}

/// The points of the recipes that `base` lists, each once.
std::vector<SweepPoint> expand_listed(const Recipe& base, const Document& document, const LoadOptions& options,
                                      const Schema& schema, Diagnostics& diagnostics) {
  std::vector<SweepPoint> points;
  std::set<std::string> known;
  for (const Node& item : base.find("sweep.recipes")->value.children) {
    const std::string file = beside(document.file->name, item.text);
    Diagnostics of_file;
    const Recipe listed = load(file, options, schema, of_file);
    if (is_collection(listed)) {
      diagnostics.error("E-sweep", item.place, fmt::format("'{}' lists recipes itself", item.text),
                        "name those that it lists");
      continue;
    }
    std::vector<SweepPoint> own;
    if (has_own_sweep(listed)) {
      own = expand(file, options, schema, diagnostics);
    } else {
      add_problems(of_file, diagnostics);
      own.push_back({file, options.overrides, listed.without("sweep"), {}});
    }
    for (SweepPoint& point : own) {
      if (!known.insert(point.recipe.to_yaml()).second) continue;
      const bool named = std::any_of(point.differing.begin(), point.differing.end(),
                                     [](const auto& one) { return one.first == "name"; });
      if (!named) point.differing.insert(point.differing.begin(), {"name", point.recipe.text("name")});
      points.push_back(std::move(point));
    }
  }
  return points;
}

}  // namespace

bool is_collection(const Recipe& recipe) { return recipe.has("sweep.recipes"); }

std::vector<SweepPoint> expand(const std::filesystem::path& path, const LoadOptions& options, const Schema& schema,
                               Diagnostics& diagnostics) {
  const Document document = read_document(path, options.builtin, schema, diagnostics);
  if (!document.readable) return {};
  // The recipe alone may lack what every point gives: of its problems only the sweep's own count.
  Diagnostics base_diagnostics;
  const Recipe base = resolve(document, {}, options, schema, base_diagnostics);
  if (is_collection(base)) {
    if (!base_diagnostics.has_errors()) return expand_listed(base, document, options, schema, diagnostics);
    add_problems(base_diagnostics, diagnostics);
    return {};
  }
  if (!has_own_sweep(base)) {
    if (base.sound("sweep"))
      diagnostics.error("E-sweep", base.place("sweep"), "this recipe has no sweep",
                        "add 'sweep: {seeds: [1, 2, 3]}', or use 'train'");
    add_problems(base_diagnostics, diagnostics);
    return {};
  }
  const auto plan = PlanReader(base, schema, diagnostics).read();
  if (!plan) return {};

  std::vector<SweepPoint> points;
  std::set<std::string> known;
  for (const Row& row : points_of(*plan, base, schema, diagnostics)) {
    Diagnostics point_diagnostics;
    Recipe recipe = resolve(document, overrides_of(row), options, schema, point_diagnostics).without("sweep");
    add_problems(point_diagnostics, diagnostics);
    if (!known.insert(recipe.to_yaml()).second) continue;
    points.push_back({path.string(), needed_overrides(row, recipe, options), std::move(recipe), {}});
  }
  note_differing_keys(*plan, points);
  return points;
}

namespace {

/// A list of recipes says nothing to train itself.
void check_collection(const Recipe& recipe, Diagnostics& diagnostics) {
  static const std::vector<std::string> kAllowed = {"recipe_version", "name", "description", "out_root", "data_root"};
  for (const Setting& setting : recipe.settings()) {
    const bool is_report = starts_with(setting.path, "report.") || setting.path == "sweep.recipes";
    if (!setting.given || is_report || std::find(kAllowed.begin(), kAllowed.end(), setting.path) != kAllowed.end())
      continue;
    if (setting.value.place.kind != Place::Kind::kCommandLine)  // those are for the listed recipes
      diagnostics.error("E-sweep", recipe.place(setting.path),
                        fmt::format("'{}' stands beside 'sweep.recipes'", setting.path),
                        "what is trained is said by the recipes that are listed");
  }
  if (!recipe.has("name"))
    diagnostics.error("E-missing", recipe.place("sweep.recipes"), "'name' is missing",
                      "it names the folder of the table");
}

}  // namespace

void check_sweep(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics) {
  if (!schema.is_section("sweep") || !recipe.given("sweep")) return;
  if (is_collection(recipe)) return check_collection(recipe, diagnostics);
  const auto plan = PlanReader(recipe, schema, diagnostics).read();
  if (plan && !has_own_sweep(recipe) && recipe.sound("sweep"))
    diagnostics.error("E-sweep", recipe.place("sweep"), "the sweep has neither 'axes', 'tied', 'seeds' nor 'recipes'");
}

void describe_sweep_and_report(Schema& schema) {
  schema.section_doc("sweep", "several settings of this recipe and several seeds, run by `sst-train sweep`");
  schema.describe<SweepOptions>("sweep");
  schema.section_doc("report", "the table that `sst-train report` makes of the runs");
  schema.section_doc("report.paper", "printed values to show beside ours");
  schema.describe<ReportOptions>("report");
}

}  // namespace sst::recipe
