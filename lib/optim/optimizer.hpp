#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dist/shards.hpp"
#include "optim/low_rank_matrix.hpp"
#include "optim/update_rule.hpp"

namespace sst::optim {

enum class Group { kBase, kLowRank };  ///< which of the two learning rates moves the tensor

/// One trained tensor.
struct Parameter {
  std::string name;
  torch::Tensor tensor;
  Geometry geometry = Geometry::kEuclidean;
  Group group = Group::kBase;
  bool decay = false;               ///< takes part in weight decay and in the L2 penalty; never a tensor of points
  bool decay_at_base_rate = false;  ///< decoupled decay goes at the base rate, whichever rate moves the tensor
  std::optional<dist::Shard> shard = {};  ///< set by Optimizer::shard

  /// What this process updates of the tensor, or of its gradient or a moment: all of `whole`, or its shard.
  torch::Tensor own(const torch::Tensor& whole) const { return shard ? shard->of(whole) : whole; }
  /// Undefined where there is none.
  torch::Tensor own_gradient() const {
    if (!shard || !tensor.grad().defined()) return tensor.grad();
    return own(dist::contiguous_gradient(tensor));
  }
};

/// A subspace in which a tensor's gradient is fed to the rule, and from which its direction comes back
/// (GaLore).
struct View {
  std::vector<int64_t> shape;  ///< of the projected gradient, and so of the moments
  std::function<torch::Tensor(const torch::Tensor&)> project;
  std::function<torch::Tensor(const torch::Tensor&)> lift;
  bool raw_eps = false;  ///< how ε enters, see State
};

struct LearningRates {
  double base = 0;
  double low_rank = 0;
};

/// Owns the states, by parameter name, and applies the rule to each tensor. Toward it a method has four
/// verbs: set_view, reset_state, replace, join. No method edits an optimizer; no optimizer names a method.
class Optimizer {
 public:
  Optimizer(std::unique_ptr<UpdateRule> rule, double weight_decay);

  /// From now on tensors in bfloat16 are updated in float32 and rounded back stochastically, their moments too. To be said
  /// before any view or joint, which this does not go with: they throw UserError then.
  void round_stochastically(uint64_t seed) { rounding_seed_ = seed; }

  /// Throws UserError when the tensor holds points and the rule cannot move them. A name may be added once.
  void add(Parameter parameter);
  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// From now on the rule sees `project(gradient)` and moves the tensor by `lift(direction)`; decay stays
  /// outside the view. Moments have the view's shape: whoever changes it resets or replaces the state.
  void set_view(const std::string& name, View view);
  /// Clears moments and step count.
  void reset_state(const std::string& name);
  /// `name` now means `fresh` (a basis or a rank that changed, or the same tensor); `carry` maps each old
  /// moment to its new one and the step count goes on, without it the state is cleared.
  void replace(const std::string& name, torch::Tensor fresh,
               const std::function<torch::Tensor(const torch::Tensor&)>& carry = {});
  /// From now on the rule moves the three tensors `prefix`u, `prefix`s, `prefix`v as the one matrix they make, whose state
  /// stands under the name of `prefix`s. Throws std::logic_error when the rule does not move such matrices.
  void join(const std::string& prefix, std::shared_ptr<LowRankMatrix> matrix);

  /// From now on this process, of those in `sharers`, updates one shard of every tensor that the rule moves element by
  /// element, holds moments of that shard alone and needs the gradient there alone; step() gathers the tensors again (ZeRO,
  /// stage 1). To be said when the views and joints are set. Tensors under a view, points and matrices of low rank stay
  /// whole.
  void shard(std::shared_ptr<const dist::Group> sharers);
  /// Who shares the updates; one process alone unless shard() said otherwise.
  const dist::Group& sharers() const { return *sharers_; }

  /// One update of every tensor that has a gradient. Clipping and the check for non-finite gradients come
  /// before it, in clip.hpp.
  void step(const LearningRates& rates);
  /// The same for one tensor, parameters()[index]; what updates within backward call (backward_updates.hpp).
  void step_one(size_t index, const LearningRates& rates);
  void zero_grad();
  /// Factors on the rates, one for each of parameters(), until others are set; none: 1 for all.
  void set_rate_factors(std::vector<double> factors) { rate_factors_ = std::move(factors); }

  const UpdateRule& rule() const { return *rule_; }
  /// Bytes of the moments once every tensor has been updated; nothing is allocated to find out.
  int64_t moment_bytes() const;

  /// Flat, named as in optimizer.safetensors: "exp_avg/encoder.layers.0.linear.weight.weight", and the counts
  /// as int64 scalars "step/…", one for every tensor. The values are the live ones: clone what must not move. Where tensors
  /// are sharded all processes have to call it, and the leader gets those moments whole, in main memory, the others none.
  std::map<std::string, torch::Tensor> state_dict() const;
  /// Takes copies, all or nothing. Throws CheckpointError naming the first tensor that is missing, unknown or
  /// of another shape or type.
  void load_state_dict(const std::map<std::string, torch::Tensor>& tensors);

 private:
  struct Slot {
    State state;
    View view;                              ///< empty functions: the rule sees the gradient itself
    std::shared_ptr<LowRankMatrix> matrix;  ///< the tensor is the core of a matrix that moves as a whole
    bool joined = false;                    ///< the tensor moves with such a core
  };

  Slot& slot(const std::string& name);
  size_t index_of(const std::string& name) const;
  /// Makes the update, or adds it to `later` where the rule itself moves the tensor.
  void update_(size_t index, const LearningRates& rates, std::vector<Update>& later);
  void update_rounded_(const Parameter& parameter, const torch::Tensor& own, const torch::Tensor& gradient,
                       State& state, double lr, double decay) const;
  enum class Extent { kWhole, kOwn };
  Moments expected_moments(size_t index, Extent extent) const;  ///< on the meta device

  std::unique_ptr<UpdateRule> rule_;
  double weight_decay_;
  std::optional<uint64_t> rounding_seed_;
  std::shared_ptr<const dist::Group> sharers_ = dist::Group::alone();
  std::vector<double> rate_factors_;
  std::vector<Parameter> parameters_;
  std::vector<Slot> slots_;  ///< slots_[i] belongs to parameters_[i]
  std::map<std::string, size_t> index_;
};

}  // namespace sst::optim
