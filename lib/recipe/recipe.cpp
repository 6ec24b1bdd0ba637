#include "recipe/recipe.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace sst::recipe {
namespace {

bool lies_in(const std::string& path, const std::string& section) { return starts_with(path, section + "."); }

bool is_any_of(const std::string& path, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), path) != names.end();
}

/// Written, or with a value by default: what a listing shows. A key that is empty by default is not.
bool is_shown(const Setting& setting) { return !setting.value.is_null() || !setting.default_value.is_null(); }

}  // namespace

Recipe::Recipe(std::vector<Setting> settings, std::vector<std::shared_ptr<const Source>> sources,
               std::vector<std::string> overrides, Node tree)
    : settings_(std::move(settings)),
      sources_(std::move(sources)),
      overrides_(std::move(overrides)),
      tree_(std::move(tree)) {}

const Setting* Recipe::find(const std::string& path) const {
  const auto found =
      std::find_if(settings_.begin(), settings_.end(), [&](const Setting& setting) { return setting.path == path; });
  return found == settings_.end() ? nullptr : &*found;
}

bool Recipe::has(const std::string& path) const {
  if (const Setting* setting = find(path)) return !setting->value.is_null();
  return given(path);
}

bool Recipe::given(const std::string& path) const {
  return std::any_of(settings_.begin(), settings_.end(), [&](const Setting& setting) {
    return setting.given && (setting.path == path || lies_in(setting.path, path));
  });
}

bool Recipe::sound(const std::string& path) const {
  return std::none_of(settings_.begin(), settings_.end(), [&](const Setting& setting) {
    return !setting.sound && (setting.path == path || lies_in(setting.path, path));
  });
}

Place Recipe::place(const std::string& path) const {
  const Setting* setting = find(path);
  if (setting && setting->given) return setting->value.place;
  Place place = sources_.empty() ? Place{} : Place::in(sources_.back());
  const Node* node = &tree_;
  for (const std::string& part : split(path, '.')) {
    node = node->find(part);
    if (!node) break;
    place = node->key_place;
  }
  return place;
}

std::string Recipe::text(const std::string& path) const {
  const Setting* setting = find(path);
  return setting && !setting->value.is_null() ? to_flow_yaml(setting->value) : "";
}

std::string Recipe::input_text() const {
  std::string text;
  for (const auto& source : sources_) {
    text += "# ---- " + source->name + " ----\n" + source->text;
    if (!ends_with(text, "\n")) text += "\n";
  }
  if (overrides_.empty()) return text;
  text += "# ---- command line ----\n";
  for (const std::string& override : overrides_) {
    text += "# ";
    for (const char c : override) text += c == '\n' ? std::string("\n# ") : std::string(1, c);
    text += "\n";
  }
  return text;
}

std::string Recipe::canonical() const {
  std::vector<std::string> lines;
  for (const Setting& setting : settings_)
    if (is_shown(setting) && in_hash(setting.path))
      lines.push_back(setting.path + ": " + to_flow_yaml(setting.value) + "\n");
  std::sort(lines.begin(), lines.end());
  return join(lines, "");
}

std::string Recipe::hash() const { return sha256_hex(canonical()); }

std::string Recipe::hash8() const { return hash().substr(0, 8); }

std::vector<Difference> Recipe::differences(const Recipe& other) const {
  std::vector<Difference> differences;
  for (const Setting& setting : settings_)
    if (text(setting.path) != other.text(setting.path))
      differences.push_back({setting.path, text(setting.path), other.text(setting.path)});
  for (const Setting& setting : other.settings_)
    if (!find(setting.path) && other.has(setting.path))
      differences.push_back({setting.path, "", other.text(setting.path)});
  return differences;
}

Recipe Recipe::without(const std::string& section) const {
  Recipe copy = *this;
  std::erase_if(copy.settings_, [&](const Setting& setting) { return lies_in(setting.path, section); });
  return copy;
}

bool is_stop_condition(const std::string& path) {
  return is_any_of(path, {"train.max_steps", "train.max_epochs", "train.max_train_tokens", "train.max_time"});
}

bool in_hash(const std::string& path) {
  if (is_any_of(path, {"checkpoint.best_metric", "checkpoint.best_mode"})) return true;
  for (const char* section : {"logging", "checkpoint", "distributed", "report", "sweep"})
    if (lies_in(path, section)) return false;
  return !is_stop_condition(path) && !is_any_of(path, {"name", "description", "seed", "data_root", "out_root",
                                                       "runtime.threads", "runtime.device", "train.micro_batch"});
}

bool may_differ_on_resume(const std::string& path) {
  // Of what the hash leaves out, only the seed changes what is computed. Some keys are in the hash, since
  // another value makes another run, and yet a run may go on under another value.
  if (path == "seed") return false;
  return !in_hash(path) || is_any_of(path, {"eval.every", "eval.samples", "eval.patience"});
}

namespace detail {

const Setting& required_setting(const Recipe& recipe, const std::string& path, KeyType type) {
  const Setting* setting = recipe.find(path);
  require(setting != nullptr, "recipe key '" + path + "' does not apply to this recipe");
  require(setting->type == type, "recipe key '" + path + "' is read with another type than it is described with");
  return *setting;
}

}  // namespace detail
}  // namespace sst::recipe
