#include "recipe/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "recipe/check.hpp"
#include "recipe/interpolate.hpp"
#include "recipe/report_options.hpp"
#include "recipe/sweep.hpp"
#include "recipe/synonyms.hpp"

namespace sst::recipe {
namespace {

/// Three-valued: a selector whose own value was refused decides nothing, so that one mistake is reported
/// once.
enum class Truth { kNo, kUnknown, kYes };

/// Types one tree. Keys are resolved on demand, because conditions and `${…}` look at other keys.
class Resolver {
 public:
  Resolver(const Node& tree, const Document& document, const LoadOptions& options, const Schema& schema,
           Diagnostics& diagnostics)
      : document_(document),
        options_(options),
        schema_(schema),
        diagnostics_(diagnostics),
        states_(schema.keys().size()),
        context_{diagnostics, [this](const Key& key, const Node& node) { return interpolated(key, node); },
                 [this](const std::string& path) { return number(path); }} {
    walk(tree, "");
  }

  std::vector<Setting> settings() {
    std::vector<Setting> settings;
    for (const Key& key : schema_.keys()) {
      if (key.path == "inherit") continue;
      const State& state = resolve(key);
      if (state.setting) settings.push_back(*state.setting);
    }
    note_dropped_keys();
    return settings;
  }

 private:
  struct State {
    enum class Progress { kUntouched, kBusy, kDone } progress = Progress::kUntouched;
    std::optional<Setting> setting;  ///< none when the key does not apply here
  };
  struct Applicable {
    const Variant* variant = nullptr;
    Truth truth = Truth::kNo;
  };
  using Progress = State::Progress;

  /// Notes what is written, and reports what is no key.
  void walk(const Node& mapping, const std::string& section) {
    for (const Node& child : mapping.children) {
      const std::string path = join_path(section, child.key);
      const bool dotted = child.key.find('.') != std::string::npos;
      const bool is_key = !dotted && schema_.find(path) != nullptr;
      // A name that is both is a section where a mapping is written.
      if (!dotted && schema_.is_section(path) && (child.is_mapping() || !is_key)) {
        section_places_[path] = child.key_place;
        if (child.is_mapping()) {
          walk(child, path);
        } else if (!child.is_null()) {
          diagnostics_.error(
              "E-mapping", child.place, fmt::format("'{}' is {} but must be a mapping of keys", path, shown(child)),
              fmt::format("write its keys below it: {}: {{{}: ...}}", child.key, schema_.names_in(path).front()));
        }
      } else if (is_key) {
        given_[path] = &child;
      } else {
        report_unknown(path, child.key_place);
      }
    }
  }

  void report_unknown(const std::string& path, const Place& place) {
    if (place.kind != Place::Kind::kCommandLine) {
      diagnostics_.error("E-unknown-key", place, fmt::format("unknown key '{}'", path),
                         hint_for_unknown_key(path, schema_, false));
      return;
    }
    std::string written = place.argument.substr(0, place.argument.find('='));
    if (ends_with(written, "+")) written.pop_back();
    diagnostics_.error("E-unknown-key", place, "unknown key", hint_for_unknown_key(written, schema_, true));
  }

  const State& resolve(const Key& key) {
    State& state = states_[static_cast<size_t>(&key - schema_.keys().data())];
    if (state.progress != Progress::kUntouched) return state;
    state.progress = Progress::kBusy;
    std::optional<Setting> setting = setting_of(key);
    state.setting = std::move(setting);
    state.progress = Progress::kDone;
    return state;
  }

  std::optional<Setting> setting_of(const Key& key) {
    const auto found = given_.find(key.path);
    const Node* node = found == given_.end() ? nullptr : found->second;
    const Applicable applicable = variant_of(key);
    if (!applicable.variant) {
      if (node && !node->is_null()) refuse_or_drop(key, *node);
      return std::nullopt;
    }
    const Variant& variant = *applicable.variant;
    Setting setting{key.path, key.type, variant.default_value, variant.default_value};
    if (key.path == "recipe_version") {  // checked for each file when it was read
      setting.value = Node::scalar("1");
      if (node) setting.value.place = node->place;
      setting.given = true;
      return setting;
    }
    if (node && node->is_null()) {
      take_null(key, variant, *node, applicable.truth, setting);
    } else if (node) {
      setting.given = true;
      auto value = check_value(key, variant, *node, context_);
      setting.sound = value.has_value();
      if (value) setting.value = std::move(*value);
      setting.value.place = node->place;
    } else if (variant.constraint.is_required && applicable.truth == Truth::kYes) {
      report_missing(key, variant);
      setting.sound = false;
    }
    return setting;
  }

  void take_null(const Key& key, const Variant& variant, const Node& node, Truth truth, Setting& setting) {
    if (variant.optional) {
      setting.value = node;
      setting.given = true;
    } else if (variant.constraint.is_required && truth == Truth::kYes) {
      diagnostics_.error("E-null", node.place, fmt::format("'{}' is null but must be given", key.path), variant.doc);
      setting.sound = false;
    } else if (!variant.constraint.is_required && !node.removes) {
      diagnostics_.error("E-null", node.place, fmt::format("'{}' is null, which only optional keys may be", key.path),
                         fmt::format("leave it out for the default, {}", to_flow_yaml(variant.default_value)));
      setting.sound = false;
    }
  }

  void report_missing(const Key& key, const Variant& variant) {
    // The nearest enclosing section that is written, else the file as a whole.
    Place place = Place::in(document_.file);
    for (const auto& [section, section_place] : section_places_)
      if (starts_with(key.path, section + ".")) place = section_place;  // the map's order puts the longest last
    diagnostics_.error("E-missing", place, fmt::format("'{}' is missing", key.path),
                       fmt::format("{}: {} ({})", key.leaf(), variant.doc, describe_type(key, variant)));
  }

  Applicable variant_of(const Key& key) {
    Applicable best;
    size_t best_clauses = 0;
    for (const Variant& variant : key.variants) {
      for (const Condition& condition : variant.when) {
        const Truth truth = holds(condition);
        const bool better =
            !best.variant || truth > best.truth || (truth == best.truth && condition.clauses.size() > best_clauses);
        if (truth == Truth::kNo || !better) continue;
        best = {&variant, truth};
        best_clauses = condition.clauses.size();
      }
    }
    return best;
  }

  Truth holds(const Condition& condition) {
    Truth truth = Truth::kYes;
    for (const Condition::Clause& clause : condition.clauses) truth = std::min(truth, holds(clause));
    return truth;
  }

  Truth holds(const Condition::Clause& clause) {
    const Key* selector = schema_.find(clause.selector);
    require(selector != nullptr, "a recipe key depends on '" + clause.selector + "', which is no key");
    const State& state = resolve(*selector);
    if (state.progress == Progress::kBusy) return Truth::kUnknown;
    if (!state.setting) return Truth::kNo;
    if (!state.setting->sound) return Truth::kUnknown;
    const auto& values = clause.values;
    return std::find(values.begin(), values.end(), state.setting->value.text) != values.end() ? Truth::kYes
                                                                                              : Truth::kNo;
  }

  /// A key that does not apply. Where an override or a sweep switched the selector, the recipe could not
  /// know: it is dropped and named in a note. Otherwise it is an error.
  void refuse_or_drop(const Key& key, const Node& node) {
    const Condition::Clause* failed = nullptr;
    std::vector<std::string> wanted;
    for (const Variant& variant : key.variants)
      for (const Condition& condition : variant.when)
        for (const Condition::Clause& clause : condition.clauses) {
          if (holds(clause) == Truth::kYes) continue;
          if (!failed) failed = &clause;
          if (clause.selector == failed->selector)
            for (const std::string& value : clause.values)
              if (std::find(wanted.begin(), wanted.end(), value) == wanted.end()) wanted.push_back(value);
        }
    require(failed != nullptr, "no condition of '" + key.path + "' failed");
    const auto& selector = resolve(*schema_.find(failed->selector)).setting;
    const std::string chosen = selector && !selector->value.is_null() ? selector->value.text : "";
    const Place place = selector ? selector->value.place : Place{};
    const auto kind = place.kind;
    if ((kind == Place::Kind::kCommandLine || kind == Place::Kind::kSweep) &&
        node.place.kind != Place::Kind::kCommandLine) {
      auto& dropped = dropped_[failed->selector];
      dropped.first = place;
      dropped.second.push_back("'" + key.path + "'");
      return;
    }
    diagnostics_.error("E-not-applicable", node.key_place,
                       chosen.empty()
                           ? fmt::format("'{}' is not used without '{}'", key.path, failed->selector)
                           : fmt::format("'{}' is not used when '{}' is '{}'", key.path, failed->selector, chosen),
                       fmt::format("remove it; it belongs to {}", join(wanted, ", ")));
    if (!chosen.empty() && place.source && place.source != node.key_place.source)
      diagnostics_.note(place, fmt::format("'{}: {}' comes from here", failed->selector, chosen));
  }

  void note_dropped_keys() {
    for (const auto& [selector, dropped] : dropped_) {
      const auto& setting = resolve(*schema_.find(selector)).setting;
      diagnostics_.note(dropped.first, fmt::format("dropped {}: not used when '{}' is '{}'", join(dropped.second, ", "),
                                                   selector, setting ? setting->value.text : ""));
    }
  }

  std::optional<std::string> interpolated(const Key& key, const Node& node) {
    if (node.text.find("${") == std::string::npos) return node.text;
    Interpolation interpolation;
    interpolation.environment_allowed = key.type.type == Type::kPath;
    interpolation.recipe_dir = folder_of(node.place.source ? node.place.source->name : document_.file->name);
    interpolation.environment = options_.environment ? options_.environment : [](const std::string& name) {
      const char* value = std::getenv(name.c_str());
      return value ? std::optional<std::string>(value) : std::nullopt;
    };
    interpolation.value = [this](const std::string& path, std::string& problem) { return text_of(path, problem); };
    Interpolated result = interpolate(node.text, interpolation);
    if (!result.text)
      diagnostics_.error(result.id, node.place, fmt::format("'{}': {}", key.path, result.problem), result.hint);
    return result.text;
  }

  static std::string folder_of(const std::string& name) {
    std::error_code ignored;
    const auto folder =
        starts_with(name, "builtin:") ? std::filesystem::path() : std::filesystem::path(name).parent_path();
    return std::filesystem::weakly_canonical(folder.empty() ? "." : folder, ignored).string();
  }

  /// What ${path} stands for.
  std::optional<std::string> text_of(const std::string& path, std::string& problem) {
    const Key* key = schema_.find(path);
    if (!key) {
      problem = schema_.is_section(path) ? "is a section, not a value" : "names no key";
      return std::nullopt;
    }
    const State& state = resolve(*key);
    if (state.progress == Progress::kBusy) {
      problem = "refers to itself";
    } else if (!state.setting || (state.setting->value.is_null() && state.setting->sound)) {
      problem = "has no value in this recipe";
    } else if (!state.setting->sound && !state.setting->value.is_scalar()) {
      return "unknown";  // the other key's error says it
    } else if (!state.setting->value.is_scalar()) {
      problem = "is a list, not a single value";
    } else {
      return state.setting->value.text;
    }
    return std::nullopt;
  }

  std::optional<double> number(const std::string& path) {
    const Key* key = schema_.find(path);
    if (!key) return std::nullopt;
    const State& state = resolve(*key);
    if (!state.setting || !state.setting->value.is_scalar()) return std::nullopt;
    return parse_number(state.setting->value.text).value;
  }

  const Document& document_;
  const LoadOptions& options_;
  const Schema& schema_;
  Diagnostics& diagnostics_;
  std::vector<State> states_;  ///< parallel to schema.keys()
  std::map<std::string, const Node*> given_;
  std::map<std::string, Place> section_places_;
  std::map<std::string, std::pair<Place, std::vector<std::string>>> dropped_;  ///< by selector
  CheckContext context_;
};

}  // namespace

Recipe resolve(const Document& document, const std::vector<Override>& point, const LoadOptions& options,
               const Schema& schema, Diagnostics& diagnostics) {
  Node tree = document.tree;
  for (const Override& override : point) apply_override(tree, override, schema, diagnostics);
  for (const Override& override : parse_overrides(options.overrides, schema, diagnostics))
    apply_override(tree, override, schema, diagnostics);
  Diagnostics found;
  auto settings = Resolver(tree, document, options, schema, found).settings();
  found.sort();
  Recipe recipe(std::move(settings), document.sources, options.overrides, std::move(tree));
  // What is missing in a file that could not be read is not the user's next problem; a list of recipes lacks nothing.
  const bool is_whole = document.readable && !is_collection(recipe);
  diagnostics.add(is_whole ? found : found.without({"E-missing", "E-not-applicable"}));
  if (point.empty()) {
    check_sweep(recipe, schema, diagnostics);
    check_report(recipe, schema, diagnostics);
  }
  return recipe;
}

Recipe load(const std::filesystem::path& path, const LoadOptions& options, const Schema& schema,
            Diagnostics& diagnostics) {
  return resolve(read_document(path, options.builtin, schema, diagnostics), {}, options, schema, diagnostics);
}

Recipe load_text(const std::string& text, const std::string& name, const LoadOptions& options, const Schema& schema,
                 Diagnostics& diagnostics) {
  return resolve(read_document_text(text, name, options.builtin, schema, diagnostics), {}, options, schema,
                 diagnostics);
}

}  // namespace sst::recipe
