#include "run/open_model.hpp"

#include "checkpoint/store.hpp"
#include "core/memory.hpp"
#include "run/assembly.hpp"
#include "run/device.hpp"
#include "run/precision.hpp"
#include "run/snapshot.hpp"

namespace sst::run {

namespace {

template <class TaskType, class TaskRecipe>
OpenedTask<TaskType> opened(const std::string& task, const std::filesystem::path& run_or_checkpoint,
                            const std::string& which, const std::string& weights, const recipe::LoadOptions& load,
                            UseDevice device) {
  return_freed_memory();
  const auto folder = checkpoint::find(run_or_checkpoint, which);
  const auto contents = checkpoint::load(folder);
  const auto recipe = recipe_of(contents, folder, load);
  if (recipe.text("task") != task)
    throw UserError("'" + folder.string() + "' is a run of " + recipe.text("task") + ", not of " + task,
                    "`sst-train export --format safetensors` and `sst-train eval` take any run");
  const auto precision = recipe.read<Precision>("precision");
  OpenedTask<TaskType> opened{.checkpoint = folder,
                              .step = contents.step,
                              .recipe = recipe,
                              .pass = {.compute = precision.compute_type()},
                              .task = std::make_unique<TaskType>(TaskRecipe::from(recipe))};
  const torch::Device place = device == UseDevice::kOfRecipe
                                  ? resolve_device(recipe.value<std::string>("runtime.device"))
                                  : torch::Device(torch::kCPU);
  nn::Build build{.tensors = torch::TensorOptions(precision.dtype()).device(place)};
  if (const auto method = made_method(recipe); weights == "trained" && method->keeps_factors()) {
    build.linear = [&](const nn::LinearSpec& spec) { return method->make_linear(spec); };
    opened.task->build(build);
    restore_model(contents.model, opened.task->model());
  } else {
    opened.task->build(build);
    nn::load_dense_tensors(opened.task->model(), trained_tensors(contents, folder, load, weights).tensors);
  }
  opened.task->model().eval();
  keep_freed_memory();
  return opened;
}

}  // namespace

OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const std::string& weights, const recipe::LoadOptions& load, UseDevice device) {
  return opened<tasks::LanguageModeling, tasks::LanguageRecipe>("language_modeling", run_or_checkpoint, which, weights,
                                                                load, device);
}

OpenedTranslation open_translation_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                         const std::string& weights, const recipe::LoadOptions& load,
                                         UseDevice device) {
  return opened<tasks::Translation, tasks::TranslationRecipe>("translation", run_or_checkpoint, which, weights, load,
                                                              device);
}

}  // namespace sst::run
