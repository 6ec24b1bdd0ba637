#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/compute.hpp"
#include "nn/pass.hpp"
#include "tensor/rows.hpp"

namespace sst::nn {

/// One linear map that a model asks for: y = x Wᵀ + b, W [out, in].
struct LinearSpec {
  int64_t in = 0;
  int64_t out = 0;
  bool bias = true;
  std::string name;      ///< dotted path of the map in the model: key of random streams, targets and method state
  bool in_block = true;  ///< what `targets: ["*"]` means: no output head, no projection around the blocks
  torch::Tensor initial_weight = {};  ///< [out, in], the model's own initial W; a method may start elsewhere
};

/// A tensor with the name under which checkpoint, optimizer and logs know it.
struct NamedTensor {
  std::string name;
  torch::Tensor tensor;
};

/// Floating-point operations of one row.
struct RowFlops {
  double forward = 0, backward = 0;
};

/// What a model holds in place of a weight matrix. It owes two answers, forward() and dense_weight(); how the
/// matrix is parametrised and trained is the method's business.
class LinearMap : public torch::nn::Module {
 public:
  /// Registers `bias`, zero, in the type and on the device of the initial weight, which must be given.
  explicit LinearMap(const LinearSpec& spec);

  /// x [..., in] → [..., out]; of three dimensions and more, the first tells sequences apart (dropout masks).
  torch::Tensor forward(const torch::Tensor& x, const Pass& pass = {});
  /// x [rows, in] → [rows, out].
  torch::Tensor forward(const tensor::Rows& x, const Pass& pass = {});

  /// The matrix that forward() applies, [out, in], without a graph.
  virtual torch::Tensor dense_weight() const = 0;
  /// Starts again from W [out, in], as if it had been the initial weight.
  virtual void set_dense_weight(const torch::Tensor& weight) = 0;
  /// From now on forward() applies `weight` [out, in] in place of what the map holds, which stays as it is; an undefined
  /// tensor ends that. For evaluation: no gradient reaches the map.
  void substitute(torch::Tensor weight) { substitute_ = std::move(weight); }

  /// The singular values that the map itself holds, [k], where that is how it is parametrised; undefined otherwise.
  virtual torch::Tensor singular_values() const { return {}; }

  /// Trained tensors that are views into a registered one (an active block of rows), by local name. They
  /// share the storage of a parameter that is saved whole, so checkpoints leave them out and optimizers take
  /// them.
  virtual std::vector<NamedTensor> active_views() const { return {}; }
  /// Whether the tensors of low_rank_names() have no gradient when backward returns: the method makes it afterwards.
  virtual bool has_late_gradients() const { return false; }
  /// About what training computes for each row that passes, in multiplications and additions; a plain matrix unless it says
  /// otherwise. What it does once a step, whatever the rows, does not count.
  virtual RowFlops flops_per_row() const {
    const double product = 2.0 * static_cast<double>(spec_.in) * static_cast<double>(spec_.out);
    return {.forward = product, .backward = 2 * product};
  }
  /// Local names of the tensors that train at the method's own rate.
  virtual std::vector<std::string> low_rank_names() const { return {}; }
  /// Local names of the tensors that `weight_decay_on: matrices` means here.
  virtual std::vector<std::string> decayed_names() const { return {"weight"}; }
  /// Whether shrinking those tensors shrinks the matrix by the same factor, so that decay goes at the rate of full rank.
  virtual bool decays_like_its_matrix() const { return false; }

  const LinearSpec& spec() const { return spec_; }     ///< without its initial weight
  const torch::Tensor& bias() const { return bias_; }  ///< [out], undefined when the map has none

 protected:
  virtual torch::Tensor apply(const tensor::Rows& x, const Pass& pass) = 0;
  const torch::Tensor& substituted() const { return substitute_; }  ///< undefined: the map's own weight counts

 private:
  LinearSpec spec_;
  torch::Tensor bias_, substitute_;
};

/// x Wᵀ + b, differentiable: x [rows, in], W [out, in], b [out] or undefined → [rows, out].
torch::Tensor affine(const tensor::Rows& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// How a model gets its linear maps. The model registers what comes back and never learns what it is.
using LinearFactory = std::function<std::shared_ptr<LinearMap>(LinearSpec)>;

/// The plain matrix: one parameter `weight` [out, in].
class DenseLinear : public LinearMap {
 public:
  explicit DenseLinear(const LinearSpec& spec);
  torch::Tensor dense_weight() const override { return weight_.detach(); }
  void set_dense_weight(const torch::Tensor& weight) override;
  /// The matrix that forward() applies: the trained one itself, unless it is substituted.
  const torch::Tensor& weight() const { return substituted().defined() ? substituted() : weight_; }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const Pass& pass) override;

 private:
  torch::Tensor weight_;
  ComputeCopy compute_weight_;
};

/// Makes a DenseLinear whatever is asked for.
LinearFactory dense_factory();

/// Every tensor the optimizer trains, named by its path in `module`: parameters that require a gradient, and
/// the active views of the linear maps.
std::vector<NamedTensor> trainable_tensors(const torch::nn::Module& module);

/// Every tensor a checkpoint holds, named by its path in `module`: parameters and buffers.
std::vector<NamedTensor> stored_tensors(const torch::nn::Module& module);

/// Every tensor of the same module with plain matrices: each linear map gives `weight`, the product of whatever it
/// holds, and `bias`. What leaves for other programs, and what averaging and merging work on.
std::vector<NamedTensor> dense_tensors(const torch::nn::Module& module);
/// The same one after the other, so that no two products live at once.
void for_each_dense_tensor(const torch::nn::Module& module,
                           const std::function<void(const std::string&, const torch::Tensor&)>& visit);

/// Gives the module the values of dense_tensors(); each linear map starts again from its matrix. All or nothing.
///   throws  CheckpointError naming every tensor that is missing, unknown or of another shape
void load_dense_tensors(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& tensors);

/// While it lives, the module computes with other values of its dense_tensors(): linear maps apply the given matrices and
/// keep what they hold, all other tensors have the given values and get their own back at the end.
class Substitution {
 public:
  ///   throws  CheckpointError as load_dense_tensors
  Substitution(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& tensors);
  ~Substitution();
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

 private:
  std::vector<LinearMap*> maps_;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> own_;  ///< a tensor of the module, and its own values
};

}  // namespace sst::nn
