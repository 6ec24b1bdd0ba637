#include "run/out_of_memory.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

#include "core/number.hpp"
#include "core/text.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "run/scale_plan.hpp"
#include "tasks/registry.hpp"
#include "tensor/device_memory.hpp"

namespace sst::run {
namespace {

constexpr size_t kRemedies = 3;

struct Remedy {
  std::string override_text;
  double saves = 0;
};

/// What the recipe takes with one key changed; nothing where that is no recipe, or where a plan would read data and try a
/// step, for which there is no memory now.
std::optional<ScalePlan> plan_with(const recipe::Recipe& recipe, const std::string& change, int64_t processes) {
  if (!tasks::registry().at(recipe.text("task")).sketch) return std::nullopt;
  try {
    recipe::Diagnostics diagnostics;
    recipe::LoadOptions load;
    if (!change.empty()) load.overrides = {change};
    const auto changed = recipe::load_text(recipe.to_yaml(), "recipe.yaml", load, recipe_schema(), diagnostics);
    if (diagnostics.has_errors()) return std::nullopt;
    return plan_for(changed, {.processes = processes});
  } catch (const std::exception&) {
    return std::nullopt;  // advice must not hide the error that it belongs to
  }
}

/// Half of an integer of the recipe, where it is one and has a half.
std::optional<std::string> halved(const recipe::Recipe& recipe, const std::string& key, int64_t now = 0) {
  if (now == 0) {
    if (!recipe.has(key)) return std::nullopt;
    const auto given = number_from<int64_t>(recipe.text(key));
    if (!given) return std::nullopt;
    now = *given;
  }
  return now > 1 ? std::optional(fmt::format("{}={}", key, now / 2)) : std::nullopt;
}

/// Planned, each change by itself.
std::vector<Remedy> planned_remedies(const recipe::Recipe& recipe, const ScalePlan& now, torch::Device device,
                                     int64_t processes) {
  std::vector<std::string> changes = {"train.recompute=blocks"};
  if (device.is_cuda()) changes.push_back("precision=bf16_mixed");
  for (const auto& half : {halved(recipe, "train.micro_batch", now.micro_batch), halved(recipe, "train.max_tokens"),
                           halved(recipe, "train.max_sentences"), halved(recipe, "model.hidden_size")})
    if (half) changes.push_back(*half);
  if (processes > 1) changes.push_back("distributed.shard_optimizer=true");
  std::vector<Remedy> all;
  for (const std::string& change : changes)
    if (const auto plan = plan_with(recipe, change, processes))
      all.push_back({change, now.memory.total() - now.memory.snapshots - plan->memory.total()});
  return all;
}

/// By what is known of the recipe as it is: half the samples make half the activations, half the width at most half of all.
std::vector<Remedy> halvings(const recipe::Recipe& recipe, const MemoryEstimate& now) {
  std::vector<Remedy> all;
  for (const char* key : {"train.micro_batch", "train.max_tokens", "train.max_sentences"})
    if (const auto half = halved(recipe, key)) all.push_back({*half, now.activations / 2});
  if (const auto half = halved(recipe, "model.hidden_size")) all.push_back({*half, (now.total() - now.snapshots) / 2});
  return all;
}

/// Those that save most, and what copies to save take.
std::vector<Remedy> best_of(std::vector<Remedy> all, const recipe::Recipe& recipe, const MemoryEstimate& now,
                            torch::Device device) {
  if (const auto saving = recipe.read<CheckpointOptions>("checkpoint"); device.is_cpu()) {
    if (saving.async) all.push_back({"checkpoint.async=false", now.checkpoint()});
    if (saving.keep_best > 0) all.push_back({"checkpoint.keep_best=0", now.checkpoint()});
  }
  std::erase_if(all, [](const Remedy& remedy) { return remedy.saves < 1 << 20; });
  std::stable_sort(all.begin(), all.end(), [](const Remedy& a, const Remedy& b) { return a.saves > b.saves; });
  if (all.size() > kRemedies) all.resize(kRemedies);
  return all;
}

std::string kinds_of(const MemoryEstimate& memory) {
  std::vector<std::string> kinds;
  for (const auto& kind : memory.kinds())
    if (kind.bytes > 0) kinds.push_back(fmt::format("{} {}", kind.word, human_bytes(kind.bytes)));
  return join(kinds, ", ");
}

/// LibTorch's own words, without the names of its sources.
std::string words_of(const std::exception& error) {
  const auto* theirs = dynamic_cast<const c10::Error*>(&error);
  if (theirs == nullptr) return "";
  const std::string text = split(theirs->what_without_backtrace(), '\n').front();
  const size_t start = text.find("DefaultCPUAllocator: ");
  return ": " + (start == std::string::npos ? text : text.substr(start + std::string("DefaultCPUAllocator: ").size()));
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string text = dynamic_cast<const c10::Error*>(&error) != nullptr ? error.what() : "";
  return text.find("can't allocate memory") != std::string::npos || text.find("not enough memory") != std::string::npos;
}

ResourceError out_of_memory(const std::exception& error, const recipe::Recipe& recipe, torch::Device device,
                            int64_t processes, const std::string& doing, const std::optional<MemoryEstimate>& known) {
  std::string message = "out of memory " + doing + words_of(error);
  std::string hint = "use a smaller model or batch; `sst-train estimate` shows what is needed";
  const auto plan = plan_with(recipe, "", processes);
  if (auto now = plan ? std::optional(plan->memory) : known) {
    const int64_t copies = recipe.read<CheckpointOptions>("checkpoint").copies_in_memory();
    if (device.is_cpu()) now->snapshots = static_cast<double>(copies) * now->checkpoint();
    message += fmt::format("; the run takes about {} ({}), {} are free now", human_bytes(now->total()), kinds_of(*now),
                           human_bytes(static_cast<double>(tensor::free_memory_bytes(device))));
    std::vector<std::string> advice;
    const auto found = plan ? planned_remedies(recipe, *plan, device, processes) : halvings(recipe, *now);
    for (const Remedy& remedy : best_of(found, recipe, *now, device))
      advice.push_back(fmt::format("{} (saves {})", remedy.override_text, human_bytes(remedy.saves)));
    if (!advice.empty()) hint = "give " + join(advice, ", or ") + "; the last checkpoint is kept";
  }
  return ResourceError(message, hint);
}

}  // namespace sst::run
