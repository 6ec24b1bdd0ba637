#include "run/open_model.hpp"

#include "run/checkpoint_store.hpp"
#include "run/precision.hpp"
#include "run/snapshot.hpp"

namespace sst::run {

OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const std::string& weights, const recipe::LoadOptions& load) {
  const auto folder = find_checkpoint(run_or_checkpoint, which);
  const auto trained = trained_tensors(folder, load, weights);
  const auto& recipe = trained.recipe;
  if (recipe.text("task") != "language_modeling")
    throw UserError("'" + folder.string() + "' is a run of " + recipe.text("task") + ", not of language_modeling");
  const auto precision = recipe.read<Precision>("precision");
  OpenedModel opened{.checkpoint = folder,
                     .step = trained.step,
                     .recipe = recipe,
                     .pass = {.compute = precision.compute_type()},
                     .task = std::make_unique<tasks::LanguageModeling>(tasks::LanguageRecipe::from(recipe))};
  opened.task->build({.tensors = precision.dtype()});
  nn::load_dense_tensors(opened.task->model(), trained.tensors);
  opened.task->model().eval();
  return opened;
}

}  // namespace sst::run
