#pragma once

#include <cstdint>

#include "checkpoint/checkpoint.hpp"
#include "recipe/load.hpp"
#include "recipe/recipe.hpp"
#include "run/assembly.hpp"
#include "run/best_tracker.hpp"
#include "run/spike_watch.hpp"

namespace sst::run {

/// Seconds of a run, over all attempts, beside those of its steps.
struct TimeSplit {
  double evaluation = 0, saving = 0;
  double decomposition = 0;  ///< within steps
};

/// Where training stands, beside the tensors.
struct TrainState {
  int64_t step = 0;      ///< optimizer steps done
  double elapsed_s = 0;  ///< training time over all attempts
  TimeSplit times;
  double decomposition_mib = 0;  ///< the most that one decomposition has taken beside the model
  int64_t skipped_steps = 0;     ///< in a row, for a non-finite loss or gradient
  int64_t clipped_steps = 0;     ///< whose gradients optim.grad_clip scaled down
  bool evaluation_due = false;   ///< after this step; a stop has cut it short

  SpikeWatch spike_watch;
  int64_t spikes = 0;              ///< steps that train.on_spike left out or went back from
  int64_t spikes_in_row = 0;       ///< left out
  int64_t rollbacks = 0;           ///< since the start
  int64_t rollbacks_in_row = 0;    ///< to the same checkpoint
  int64_t data_left_out = 0;       ///< steps' worth of data that rollbacks have passed over
  int64_t periodic_save_step = 0;  ///< where a rollback goes

  int64_t data_step() const { return step + data_left_out; }  ///< which decides data and random numbers

  /// For state.json. Checkpoints from before there was train.on_spike are read too.
  nlohmann::json to_json() const;
  static TrainState from_json(const nlohmann::json& json);
};

/// A copy of everything a run needs to go on as if it had never stopped.
checkpoint::Contents capture(const Assembly& assembly, const recipe::Recipe& recipe, const TrainState& state,
                             const BestTracker& best);

/// Puts a checkpoint back into an assembly of the same recipe.
///   throws    CheckpointError naming the first tensor or key that is missing, unknown or of another shape
TrainState restore(const checkpoint::Contents& contents, Assembly& assembly, BestTracker& best);

/// The recipe that a checkpoint was trained by, with the tokenizer that the checkpoint keeps in the place of the one it
/// named. Throws recipe::RecipeError when overrides do not fit.
recipe::Recipe recipe_of(const checkpoint::Contents& contents, const std::filesystem::path& folder,
                         recipe::LoadOptions load = {});

/// A recipe's method, for making maps that are not trained.
std::unique_ptr<methods::Method> made_method(const recipe::Recipe& recipe);

/// A recipe's method and the model that it makes on the CPU, with any weights.
struct BuiltModel {
  std::unique_ptr<methods::Method> method;
  std::unique_ptr<tasks::Task> task;
};
BuiltModel untrained_model(const recipe::Recipe& recipe);

/// A trained model with plain matrices, whatever method trained it.
struct TrainedTensors {
  recipe::Recipe recipe;
  int64_t step = 0;
  std::map<std::string, torch::Tensor> tensors;  ///< as nn::dense_tensors()
  std::map<std::string, std::string> tokenizer;  ///< its files, by name
};

/// What the checkpoint in `folder` holds: the trained weights, or the average called `weights` ("ema", "ema_0.999").
TrainedTensors trained_tensors(const std::filesystem::path& folder, const recipe::LoadOptions& load = {},
                               const std::string& weights = "trained");
TrainedTensors trained_tensors(const checkpoint::Contents& contents, const std::filesystem::path& folder,
                               const recipe::LoadOptions& load, const std::string& weights);

/// What a checkpoint made from `original` holds beside its weights, from which nothing can be resumed.
checkpoint::Contents weights_only(const checkpoint::Contents& original, const recipe::Recipe& recipe);

/// The arithmetic mean of the weights of several checkpoints of one model, as a checkpoint of plain matrices from which
/// nothing can be resumed. Points of the hyperboloid are brought back to it.
///   throws    CheckpointError naming the first tensor that another one lacks or has in another shape
checkpoint::Contents mean_of(const std::vector<std::filesystem::path>& folders);

/// `init.from`: starts a fresh model from another run's weights. Linear maps take the dense matrix the other one applied,
/// whatever method trained it; every other tensor is copied.
///   throws    CheckpointError naming every tensor that is missing or of another shape
void load_initial_weights(const std::filesystem::path& run_or_checkpoint, Assembly& assembly);

/// `init.from` with `init.optimizer: keep`: model, optimizer and method are as they were there, at step 0 of this run.
///   throws    CheckpointError naming the first tensor that is missing, unknown or of another shape
void load_initial_states(const std::filesystem::path& run_or_checkpoint, Assembly& assembly);

/// Gives a model of the same recipe what `tensors` hold, as nn::stored_tensors().
///   throws    CheckpointError naming the first tensor that is missing or of another shape
void restore_model(const tensor::NamedTensors& tensors, torch::nn::Module& model);

/// Weights and averages alone, for evaluation.
void restore_weights(const checkpoint::Contents& contents, Assembly& assembly);

}  // namespace sst::run
