#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "recipe/load.hpp"
#include "recipe/recipe.hpp"
#include "tasks/language_modeling.hpp"

namespace sst::run {

/// A trained language model as it is used: every linear map is the plain matrix that its method had made of it.
struct OpenedModel {
  std::filesystem::path checkpoint;
  int64_t step = 0;
  recipe::Recipe recipe;
  nn::Pass pass;  ///< of evaluation, in the recipe's compute type
  std::unique_ptr<tasks::LanguageModeling> task;

  models::LanguageModel& model() const { return task->language_model(); }
};

/// Where an opened model computes.
enum class UseDevice { kCpu, kOfRecipe };

/// Opens `which` ("best", "last", "step-N") of a run directory, or a checkpoint. No data are read but the tokenizer.
///   throws    CheckpointError; UserError when it is no language model; DataError when the tokenizer is missing
OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const recipe::LoadOptions& load, UseDevice device = UseDevice::kCpu);

}  // namespace sst::run
