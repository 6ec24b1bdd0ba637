#include "report/run_record.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace sst::report {
namespace {

namespace fs = std::filesystem;
constexpr const char* kZeroShotFolder = "zero_shot";
using Json = nlohmann::ordered_json;

void flatten(const YAML::Node& node, const std::string& prefix, std::map<std::string, std::string>& out) {
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const auto key = entry.first.as<std::string>();
      flatten(entry.second, prefix.empty() ? key : prefix + "." + key, out);
    }
  } else if (node.IsScalar()) {
    out[prefix] = node.Scalar();
  } else if (node.IsSequence()) {
    YAML::Emitter flow;
    flow << YAML::Flow << node;
    out[prefix] = flow.c_str();
  }
}

/// The number under a path of keys; `missing` where it is not there or no number. null is a number that was
/// not finite.
double number_at(const Json& object, std::initializer_list<const char*> path, double missing = 0) {
  const Json* at = &object;
  for (const char* key : path) {
    if (!at->is_object() || !at->contains(key)) return missing;
    at = &at->at(key);
  }
  return at->is_number() ? at->get<double>() : missing;
}

std::map<std::string, double> numbers_of(const Json& object, const char* key) {
  std::map<std::string, double> numbers;
  if (!object.is_object() || !object.contains(key) || !object[key].is_object()) return numbers;
  for (const auto& [name, value] : object[key].items()) {
    if (value.is_number()) numbers[name] = value.get<double>();
    if (value.is_null()) numbers[name] = std::numeric_limits<double>::quiet_NaN();
  }
  return numbers;
}

std::map<std::string, std::string> texts_of(const Json& object, const char* key) {
  std::map<std::string, std::string> texts;
  if (!object.is_object() || !object.contains(key) || !object[key].is_object()) return texts;
  for (const auto& [name, value] : object[key].items())
    if (value.is_string()) texts[name] = value.get<std::string>();
  return texts;
}

std::string text_of(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

void read_state(const Json& run, RunRecord& record) {
  record.state = text_of(run, "state");
  if (record.state.empty()) record.state = "unreadable", record.reason = "run.json has no state";
  constexpr int kDiverged = static_cast<int>(ExitCode::kDiverged);
  if (record.state == "failed" && number_at(run, {"exit_code"}) == kDiverged) record.state = "diverged";
  record.step = static_cast<int64_t>(number_at(run, {"step"}));
  const bool has_attempts = run.contains("attempts") && run["attempts"].is_array() && !run["attempts"].empty();
  if (has_attempts && record.state != "finished") record.reason = text_of(run["attempts"].back(), "reason");
  if (!run.contains("summary")) return;
  const Json& summary = run["summary"];
  record.results = numbers_of(summary, "results");
  record.signatures = texts_of(summary, "signatures");
  record.parameters_total = static_cast<int64_t>(number_at(summary, {"parameters", "total"}));
  record.parameters_trainable = static_cast<int64_t>(number_at(summary, {"parameters", "trainable"}));
  record.estimated_bytes = number_at(summary, {"memory", "estimated_bytes"});
  record.measured_bytes = number_at(summary, {"memory", "measured_bytes"});
  record.state_bytes = number_at(summary, {"memory", "state_bytes"});
  record.decomposition_bytes = number_at(summary, {"memory", "decomposition_bytes"});
  record.seconds = number_at(summary, {"seconds"});
  record.time_split = numbers_of(summary, "time_split");
  record.version = text_of(summary, "version");
}

void read_line(std::string_view line, RunRecord& record) {
  const Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer()) return;
  if (text_of(entry, "kind") == "event") return;
  const auto step = entry["step"].get<int64_t>();
  for (const auto& [name, value] : entry.items()) {
    if (name.find('/') == std::string::npos) continue;
    if (value.is_number()) record.curves[name].push_back({step, value.get<double>()});
    if (value.is_null()) record.curves[name].push_back({step, std::numeric_limits<double>::quiet_NaN()});
    constexpr std::string_view kLayer = "layer/", kSpectrum = "/spectrum";
    const bool is_spectrum = value.is_array() && starts_with(name, kLayer) && ends_with(name, kSpectrum);
    if (is_spectrum && std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_number(); }))
      record.spectra[name.substr(kLayer.size(), name.size() - kLayer.size() - kSpectrum.size())].push_back(
          {step, value.get<std::vector<double>>()});
  }
}

}  // namespace

std::optional<double> result_of(const RunRecord& run, const std::string& metric) {
  if (const auto result = run.results.find(metric); result != run.results.end()) return result->second;
  constexpr double kHour = 3600, kMebibyte = 1 << 20;
  const auto split_s = [&](const char* part) {
    const auto found = run.time_split.find(part);
    return found == run.time_split.end() ? 0.0 : found->second;
  };
  const std::map<std::string, double> facts = {{"run/hours", (split_s("compute") + split_s("svd")) / kHour},
                                               {"run/svd_hours", split_s("svd") / kHour},
                                               {"run/memory_mib", run.measured_bytes / kMebibyte},
                                               {"run/state_mib", run.state_bytes / kMebibyte},
                                               {"run/svd_mib", run.decomposition_bytes / kMebibyte}};
  const auto fact = facts.find(metric);
  if (fact == facts.end() || (fact->second == 0 && metric != "run/svd_hours")) return std::nullopt;  // 0: not known
  return fact->second;
}

std::map<std::string, std::string> flat_recipe(const std::string& yaml) {
  std::map<std::string, std::string> keys;
  try {
    flatten(YAML::Load(yaml), "", keys);
  } catch (const YAML::Exception& failure) {
    throw DataError("not YAML: " + std::string(failure.what()));
  }
  return keys;
}

namespace {

/// The scores in one results file of lm-evaluation-harness: {"results": {"boolq": {"acc,none": 0.59, …}}}. A task that has
/// both is counted by its accuracy, as the SST paper does; ReCoRD has none.
void read_zero_shot(const Json& file, std::map<std::string, double>& results) {
  if (!file.is_object() || !file.contains("results") || !file["results"].is_object()) return;
  for (const auto& [task, scores] : file["results"].items())
    for (const char* metric : {"acc,none", "f1,none"})
      if (const double score = number_at(scores, {metric}, std::numeric_limits<double>::quiet_NaN());
          !std::isnan(score)) {
        results["zero_shot/" + task] = score;
        break;
      }
}

/// Everything but the keys and the seed.
void read_files(const fs::path& run_dir, RunRecord& record) {
  if (!path_exists(run_dir / "run.json")) {
    record.reason = path_exists(run_dir) ? "no run.json" : "";
    return;
  }
  const Json run = Json::parse(read_file(run_dir / "run.json"), nullptr, /*allow_exceptions=*/false);
  if (!run.is_object()) throw DataError("run.json is not JSON");
  read_state(run, record);
  if (path_exists(run_dir / kPruneFile))
    record.pruning =
        prune_curve_from(Json::parse(read_file(run_dir / kPruneFile), nullptr, /*allow_exceptions=*/false));
  if (is_folder(run_dir / kZeroShotFolder)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(run_dir / kZeroShotFolder))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());  // their names hold the time: the newest of a task wins
    for (const auto& file : files) read_zero_shot(Json::parse(read_file(file), nullptr, false), record.results);
  }
  if (!path_exists(run_dir / "metrics.jsonl")) return;
  const std::string lines = read_file(run_dir / "metrics.jsonl");
  for (size_t start = 0; start < lines.size();) {
    const size_t end = std::min(lines.find('\n', start), lines.size());
    read_line(std::string_view(lines).substr(start, end - start), record);
    start = end + 1;
  }
}

}  // namespace

RunRecord read_run(const fs::path& run_dir, const std::string& planned) {
  RunRecord record;
  record.path = run_dir.lexically_normal().string();
  const fs::path recipe = run_dir / "recipe.yaml";
  try {
    record.keys = flat_recipe(path_exists(recipe) ? read_file(recipe) : planned);
    read_files(run_dir, record);
  } catch (const Error& failure) {
    record.state = "unreadable";
    record.reason = failure.what();
  }
  if (record.keys.empty() && !planned.empty()) record.keys = flat_recipe(planned);
  if (const auto seed = record.keys.find("seed"); seed != record.keys.end())
    record.seed = std::strtoll(seed->second.c_str(), nullptr, 10);
  return record;
}

}  // namespace sst::report
