#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sst::optim {

struct LowRankMatrix;

enum class Geometry { kEuclidean, kLorentz };  ///< kLorentz: each row is a point of the hyperboloid

using Moments = std::map<std::string, torch::Tensor>;  ///< by short name ("exp_avg")

/// One tensor's moments and its own step count. The count is per tensor because a method may clear one
/// tensor's state while the others keep theirs; where all are stepped together it equals the count per group
/// of the published code.
struct State {
  int64_t step = 0;  ///< updates since the state was made or reset; the first update sees 1
  Moments moments;
  /// Adam's ε joins the root of the second moment before its bias is corrected, as in GaLore's published code; otherwise
  /// after. Set by the tensor's view, not saved.
  bool raw_eps = false;
};

/// One tensor's Euclidean update, still to be made.
struct Update {
  torch::Tensor parameter, gradient;
  State* state = nullptr;
  double lr = 0, decay = 0;
};

/// An update rule: one file, one formula, the citation above the class. Rules hold constants only; what they
/// remember of a tensor is in its State, which the optimizer owns, saves and loads.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  /// The moments of a tensor before its first update: zeros. `gradient` has the shape the rule will see.
  virtual Moments zero_moments(const torch::Tensor& gradient, Geometry geometry) const = 0;

  /// The direction d by which `parameter ← parameter − lr · d`, like `gradient`, before decoupled decay.
  /// `state.step` already counts this update and `state.moments` has what zero_moments() names.
  virtual torch::Tensor direction(const torch::Tensor& gradient, State& state) const = 0;

  /// The whole Euclidean update, decay included. Decoupled: `parameter ← (1 − lr · decay) · parameter − lr ·
  /// d`, so that a zero direction shrinks by exactly that factor; otherwise d is the direction of `gradient +
  /// decay · parameter`. Rules override it where one pass over memory can do all of it.
  virtual void update_(torch::Tensor parameter, const torch::Tensor& gradient, State& state, double lr,
                       double decay) const;

  /// update_ of each, where a rule can in one go: on a GPU the launch of a kernel costs more than a small tensor's work.
  virtual void update_all_(const std::vector<Update>& updates) const;

  /// Whether weight decay acts on the parameter (decoupled) or is added to the gradient (after clipping).
  virtual bool decay_is_decoupled() const = 0;

  /// Whether the rule knows how to move points of the hyperboloid.
  virtual bool moves_on_manifolds() const { return false; }

  /// The whole update of a tensor whose rows are points, without decay; `gradient` is the Euclidean one.
  /// Throws std::logic_error unless moves_on_manifolds().
  virtual void update_on_manifold_(torch::Tensor points, const torch::Tensor& gradient, State& state, double lr) const;

  /// Whether the rule knows how to move a matrix that is held as U S Vᵀ as a whole.
  virtual bool moves_low_rank() const { return false; }
  /// Whether it can take several steps on S between two changes of the bases.
  virtual bool takes_inner_steps() const { return false; }
  /// The moments of such a matrix before its first update: zeros.
  virtual Moments zero_low_rank_moments(const LowRankMatrix& matrix) const;
  /// Its whole update, decay included (decoupled: of W, by way of S). Both throw std::logic_error unless
  /// moves_low_rank().
  virtual void update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const;
};

}  // namespace sst::optim
