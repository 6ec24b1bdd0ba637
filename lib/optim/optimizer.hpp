#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sst::optim {

/// One tensor's moments, by short name ("exp_avg"), and its own step count. The count is per tensor because a method
/// may clear one tensor's state while the others keep theirs; where all are stepped together it equals the count per
/// group of the published code.
struct State {
  int64_t step = 0;  ///< updates since the state was made or reset; the first update sees 1
  std::map<std::string, torch::Tensor> moments;
};

enum class Geometry { kEuclidean, kLorentz };  ///< kLorentz: each row is a point of the hyperboloid
enum class Group { kBase, kLowRank };          ///< which of the two learning rates moves the tensor

/// One trained tensor.
struct Parameter {
  std::string name;
  torch::Tensor tensor;
  Geometry geometry = Geometry::kEuclidean;
  Group group = Group::kBase;
  bool decay = false;  ///< takes part in weight decay
};

/// An update rule: one file, one formula, the citation above the class.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  /// The direction d by which `parameter ← parameter − lr · d`, before decay. `state.step` already counts this update.
  /// Moments absent from the state start at zero in the gradient's shape and type.
  virtual torch::Tensor direction(const torch::Tensor& gradient, State& state) const = 0;
  /// The whole update of a tensor on a manifold. Rules that have none throw UserError.
  virtual void update_on_manifold_(torch::Tensor parameter, const torch::Tensor& gradient, State& state,
                                   double lr) const;
  /// Fused form of `parameter ← parameter − lr · (direction + decay · parameter)`; the default calls direction().
  virtual void update_(torch::Tensor parameter, const torch::Tensor& gradient, State& state, double lr,
                       double decay) const;
  /// Whether weight decay acts on the parameter (decoupled) or is added to the gradient (after clipping).
  virtual bool decay_is_decoupled() const = 0;
};

/// A subspace in which a tensor's gradient is fed to the rule, and from which its direction comes back (GaLore).
struct View {
  std::function<torch::Tensor(const torch::Tensor&)> project;
  std::function<torch::Tensor(const torch::Tensor&)> lift;
};

struct LearningRates {
  double base = 0;
  double low_rank = 0;
};

/// Owns the states, by parameter name, and applies the rule to each tensor. Toward it a method has three verbs:
/// set_view, reset_state, replace. No method edits an optimizer; no optimizer names a method.
class Optimizer {
 public:
  Optimizer(std::unique_ptr<UpdateRule> rule, double weight_decay);

  void add(Parameter parameter);
  const std::vector<Parameter>& parameters() const { return parameters_; }

  void set_view(const std::string& name, View view);
  /// Clears moments and step count.
  void reset_state(const std::string& name);
  /// `name` now means `fresh` (a basis or a rank that changed); `carry` maps each old moment to its new one, and
  /// without it the state is cleared.
  void replace(const std::string& name, torch::Tensor fresh,
               const std::function<torch::Tensor(const torch::Tensor&)>& carry = {});

  /// One update of every tensor that has a gradient. Clipping and the check for non-finite gradients come before it,
  /// in clip.hpp.
  void step(const LearningRates& rates);
  void zero_grad();

  /// Flat, named as in optimizer.safetensors: "exp_avg/encoder.layers.0.linear.weight.weight", and the counts as
  /// int64 scalars "step/…".
  std::map<std::string, torch::Tensor> state_dict() const;
  /// Throws CheckpointError naming the first tensor that is missing, unknown or of another shape.
  void load_state_dict(const std::map<std::string, torch::Tensor>& tensors);

 private:
  std::unique_ptr<UpdateRule> rule_;
  double weight_decay_;
  std::vector<Parameter> parameters_;
  std::map<std::string, State> states_;
  std::map<std::string, View> views_;
};

}  // namespace sst::optim
