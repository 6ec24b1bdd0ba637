#include "run/open_model.hpp"

#include "run/checkpoint_store.hpp"
#include "run/precision.hpp"
#include "run/snapshot.hpp"

namespace sst::run {

namespace {

template <class TaskType, class TaskRecipe>
OpenedTask<TaskType> opened(const std::string& task, const std::filesystem::path& run_or_checkpoint,
                            const std::string& which, const std::string& weights, const recipe::LoadOptions& load) {
  const auto folder = find_checkpoint(run_or_checkpoint, which);
  const auto trained = trained_tensors(folder, load, weights);
  const auto& recipe = trained.recipe;
  if (recipe.text("task") != task)
    throw UserError("'" + folder.string() + "' is a run of " + recipe.text("task") + ", not of " + task);
  const auto precision = recipe.read<Precision>("precision");
  OpenedTask<TaskType> opened{.checkpoint = folder,
                              .step = trained.step,
                              .recipe = recipe,
                              .pass = {.compute = precision.compute_type()},
                              .task = std::make_unique<TaskType>(TaskRecipe::from(recipe))};
  opened.task->build({.tensors = precision.dtype()});
  nn::load_dense_tensors(opened.task->model(), trained.tensors);
  opened.task->model().eval();
  return opened;
}

}  // namespace

OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const std::string& weights, const recipe::LoadOptions& load) {
  return opened<tasks::LanguageModeling, tasks::LanguageRecipe>("language_modeling", run_or_checkpoint, which, weights,
                                                                load);
}

OpenedTranslation open_translation_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                         const std::string& weights, const recipe::LoadOptions& load) {
  return opened<tasks::Translation, tasks::TranslationRecipe>("translation", run_or_checkpoint, which, weights, load);
}

}  // namespace sst::run
