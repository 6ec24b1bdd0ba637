#include "run/open_model.hpp"

#include "run/assembly.hpp"
#include "run/checkpoint_store.hpp"
#include "run/precision.hpp"
#include "run/snapshot.hpp"

namespace sst::run {

OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const recipe::LoadOptions& load, UseDevice device) {
  const auto folder = find_checkpoint(run_or_checkpoint, which);
  const auto trained = trained_tensors(folder, load);
  const auto& recipe = trained.recipe;
  if (recipe.text("task") != "language_modeling")
    throw UserError("'" + folder.string() + "' is a run of " + recipe.text("task") + ", not of language_modeling");
  const auto precision = recipe.read<Precision>("precision");
  OpenedModel opened{.checkpoint = folder,
                     .step = trained.step,
                     .recipe = recipe,
                     .pass = {.compute = precision.compute_type()},
                     .task = std::make_unique<tasks::LanguageModeling>(tasks::LanguageRecipe::from(recipe))};
  const torch::Device place = device == UseDevice::kOfRecipe
                                  ? resolve_device(recipe.value<std::string>("runtime.device"))
                                  : torch::Device(torch::kCPU);
  opened.task->build({.tensors = torch::TensorOptions(precision.dtype()).device(place)});
  nn::load_dense_tensors(opened.task->model(), trained.tensors);
  opened.task->model().eval();
  return opened;
}

}  // namespace sst::run
