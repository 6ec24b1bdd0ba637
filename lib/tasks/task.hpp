#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "dist/group.hpp"
#include "nn/build.hpp"
#include "nn/loss.hpp"
#include "nn/pass.hpp"
#include "recipe/words.hpp"

namespace sst::tasks {

using Metrics = std::map<std::string, double>;  ///< "loss", "f1", … of one split

/// A sentence that an evaluation has translated.
struct Translated {
  std::string source, reference, hypothesis;
};

/// What an evaluation of a split found.
struct Evaluated {
  Metrics metrics;
  int64_t examples = 0;                       ///< that were looked at; 0: all of the split
  std::vector<Translated> translations = {};  ///< of all its sentences in order, where text was decoded
  std::vector<size_t> samples = {};           ///< those of them that are to be shown
};

/// Called between the batches of an evaluation; what it throws ends it.
using BetweenBatches = std::function<void()>;

/// What is known of the work once the data are read, before there is a model.
struct Workload {
  int64_t hidden_size = 0;
  int64_t rows_per_step = 0;  ///< rows that pass a linear map of the blocks in one optimizer step, of all processes
  recipe::StepUnits step = {};
  bool euclidean = true;
  bool counts_tokens = false;  ///< what the loss is divided by are tokens, and the loss is in nats
};

/// One optimizer step: parts whose losses and gradients add up.
struct StepShape {
  int64_t parts = 1;
  double count = 0;  ///< what the summed loss is divided by; 0: the count of the only part
};

/// Data, model and metric together: something that can be trained. The constructor reads and checks the data; build()
/// makes the model from whatever linear maps the factory hands out.
class Task {
 public:
  virtual ~Task() = default;

  virtual Workload workload() const = 0;
  virtual void build(const nn::Build& build) = 0;
  /// Whether several processes can train it together, each a part of the rows of every micro-batch. Then loss() is of this
  /// process's rows, everything else is the same on all of them.
  virtual bool can_share() const { return false; }
  void set_group(std::shared_ptr<const dist::Group> group) { group_ = std::move(group); }
  virtual torch::nn::Module& model() = 0;
  /// What evaluate() can be asked for.
  virtual std::vector<std::string> splits() const { return {"valid", "test"}; }
  /// Names of the parameters whose rows are points of the hyperboloid.
  virtual std::vector<std::string> lorentz_parameters() const { return {}; }

  /// How the step is cut; called before its losses.
  virtual StepShape step_shape(int64_t /*step*/) { return {}; }
  /// The loss of one part of an optimizer step, with a graph. `pass.step` decides every random choice.
  virtual nn::LossSum loss(const nn::Pass& pass, int64_t part) = 0;
  /// The same for a device that records a pass and plays it again: load() copies the inputs of a part to where they always
  /// are, and loss_of_loaded() reads them there, without waiting for the device. Only where every part has the same shape.
  virtual bool can_be_recorded() const { return false; }
  virtual void load(int64_t /*part*/) { require(false, "this task's steps cannot be recorded"); }
  virtual nn::LossSum loss_of_loaded(const nn::Pass& pass) { return loss(pass, 0); }
  /// `split` is one of splits(); `pass` is one of evaluation.
  virtual Evaluated evaluate(
      const std::string& split, const nn::Pass& pass, const BetweenBatches& between = [] {}) = 0;
  /// What makes the value of a metric comparable, by the metric: {"bleu", "nrefs:1|case:mixed|…"}.
  virtual std::map<std::string, std::string> signatures() const { return {}; }

  /// The files that text is tokenized with, by the name under which a checkpoint keeps them.
  virtual std::map<std::string, std::filesystem::path> tokenizer_files() const { return {}; }

  /// Lines for the table at the start, such as {"nodes", "2,708"}.
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
  /// Hash of everything the data hold, for resume and eval.
  virtual std::string data_sha256() const = 0;
  /// The most that gradients, given the bytes of those that are kept, and activations take at one time of a step.
  virtual double step_bytes(double gradients) const = 0;
  /// The step that takes the most memory, where steps differ.
  virtual std::optional<int64_t> largest_step() const { return std::nullopt; }
  /// Floating-point operations of a training step, of all processes together, that no linear map makes: attention, and an
  /// output layer that is the embedding.
  virtual double flops_beside_maps() const { return 0; }
  /// Whether backward computes the inside of each block a second time.
  virtual bool recomputes_blocks() const { return false; }
  /// What a step may take at most, where a recipe leaves it to the task how a step is cut; `pass` as training will
  /// make it.
  virtual void set_memory_budget(double /*bytes*/, const nn::Pass& /*pass*/) {}
  /// How many samples the task computes at a time where the recipe leaves that to it; 0: the recipe says. Rounding
  /// depends on it, so a run that goes on takes the number it had and not what the memory of the day allows.
  virtual int64_t chosen_micro_batch() const { return 0; }
  virtual void keep_micro_batch(int64_t /*samples*/) {}

 protected:
  const dist::Group& group() const { return *group_; }
  void share_with(const Task& other) { group_ = other.group_; }  ///< the same processes

 private:
  std::shared_ptr<const dist::Group> group_ = dist::Group::alone();
};

}  // namespace sst::tasks
