#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dist/group.hpp"
#include "nn/linear.hpp"
#include "optim/optimizer.hpp"
#include "recipe/words.hpp"

namespace sst::methods {

/// What a method may know of the run it serves.
struct MethodContext {
  uint64_t seed = 0;
  int64_t hidden_size = 0;    ///< width of the model: T2 = hidden_size / rank
  int64_t rows_per_step = 0;  ///< rows that pass through a block's linear map in one optimizer step
  recipe::StepUnits step = {};
  bool euclidean = true;  ///< geometry of the model; decides what `base_init: auto` means
  /// Of the processes that train the model together. What libraries may answer differently on another processor
  /// (decompositions) is computed once, dist::Group::once.
  std::shared_ptr<const dist::Group> group = dist::Group::alone();
};

/// Factors on the two learning rates at one step, on top of the schedule's.
struct RateFactors {
  double base = 1;
  double low_rank = 1;
};

/// What a method did at a step, for logs: {"event", name}, numbers by metric name.
struct MethodEvent {
  std::string name;
  std::map<std::string, double> values;
};

/// What a method cannot do as the recipe asks for it: "`key` …", and what to do.
struct Refusal {
  std::string key;      ///< of the recipe
  std::string problem;  ///< what follows the name of the feature
  std::string hint;
};

/// One way to parametrise and train linear maps. The trainer calls, in this order: make_linear (from the model's
/// maker), attach once the optimizer knows every tensor, on_start in a fresh run, then around each optimizer step
/// before_step and after_step.
class Method {
 public:
  explicit Method(MethodContext context) : context_(std::move(context)) {}
  virtual ~Method() = default;

  virtual std::shared_ptr<nn::LinearMap> make_linear(const nn::LinearSpec& spec) = 0;

  /// Whether it puts something of its own in the place of the plain matrix.
  virtual bool replaces(const nn::LinearSpec&) const { return false; }
  /// Rank of what it puts there; 0: none.
  virtual int64_t rank_of(const nn::LinearSpec&) const { return 0; }
  /// Whether its maps multiply by factors smaller than the matrix, so that a trained model is best used with them.
  virtual bool keeps_factors() const { return false; }
  /// Peak rate of the tensors a layer calls low-rank; not given: optim.lr.
  virtual std::optional<double> low_rank_lr() const { return std::nullopt; }

  /// Throws UserError when this update rule cannot train what the method makes.
  virtual void check_rule(const optim::UpdateRule& rule) const;
  /// Each tensor is updated and its gradient freed within backward: before_step is not called, and gradients can neither
  /// add up over parts of a step nor be clipped.
  virtual bool updates_within_backward() const { return false; }
  /// Whether gradients reach the optimizer through a subspace of their own.
  virtual bool projects_gradients() const { return false; }
  /// Why its forward and backward cannot be recorded once and played in every step (runtime.cuda_graphs).
  virtual std::optional<Refusal> why_not_recorded() const { return std::nullopt; }
  /// Keys of the recipe that decide what tensors and states mean: two runs exchange states only where these agree.
  virtual std::vector<std::string> keys_of_states() const { return {}; }

  /// The optimizer knows every tensor and no state yet; views are set here, in fresh and in resumed runs.
  virtual void attach(optim::Optimizer&) {}
  /// A fresh run begins (not called on resume).
  virtual void on_start(optim::Optimizer&) {}
  /// Step `step` (0-based) has its gradients, summed over all micro-batches; they are not yet measured or clipped.
  virtual void before_step(int64_t /*step*/, optim::Optimizer&) {}
  /// The optimizer has moved every tensor.
  virtual void after_step(int64_t /*step*/, optim::Optimizer&) {}
  virtual RateFactors rate_factors(int64_t /*step*/) const { return {}; }

  /// Bytes of gradients that live between backward and before_step, beside those of the trained tensors.
  virtual double extra_gradient_bytes() const { return 0; }

  /// State beyond the layers' own tensors (cursors, bases of projections), by name; saved in method.safetensors. The
  /// tensors are the live ones.
  virtual std::map<std::string, torch::Tensor> state_dict() const { return {}; }
  /// Throws CheckpointError when a tensor is missing or does not fit.
  virtual void load_state_dict(const std::map<std::string, torch::Tensor>&) {}

  /// Takes the events since the last call.
  std::vector<MethodEvent> take_events() { return std::exchange(events_, {}); }

 protected:
  const MethodContext& context() const { return context_; }
  void record(MethodEvent event) { events_.push_back(std::move(event)); }

 private:
  MethodContext context_;
  std::vector<MethodEvent> events_;
};

}  // namespace sst::methods
