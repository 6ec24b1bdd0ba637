#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "recipe/load.hpp"
#include "recipe/recipe.hpp"
#include "tasks/language_modeling.hpp"
#include "tasks/translation.hpp"

namespace sst::run {

/// A trained model as it is used: every linear map is the plain matrix that its method had made of it, or the factors of a
/// method that keeps to those.
template <class TaskType>
struct OpenedTask {
  std::filesystem::path checkpoint;
  int64_t step = 0;
  recipe::Recipe recipe;
  nn::Pass pass;  ///< of evaluation, in the recipe's compute type
  std::unique_ptr<TaskType> task;
};

using OpenedModel = OpenedTask<tasks::LanguageModeling>;
using OpenedTranslation = OpenedTask<tasks::Translation>;

/// Where an opened model computes.
enum class UseDevice { kCpu, kOfRecipe };

/// Opens `which` ("best", "last", "step-N") of a run directory, or a checkpoint, with its trained weights or with the
/// average called `weights` ("ema", "ema_0.999"). No data are read but the tokenizer.
///   throws    CheckpointError; UserError when it is no language model; DataError when the tokenizer is missing
OpenedModel open_language_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                const std::string& weights, const recipe::LoadOptions& load,
                                UseDevice device = UseDevice::kCpu);

/// The same for a translation model.
OpenedTranslation open_translation_model(const std::filesystem::path& run_or_checkpoint, const std::string& which,
                                         const std::string& weights, const recipe::LoadOptions& load,
                                         UseDevice device = UseDevice::kCpu);

}  // namespace sst::run
