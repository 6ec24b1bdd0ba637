#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>

#include "nn/build.hpp"
#include "nn/lorentz_linear.hpp"
#include "nn/pass.hpp"
#include "tensor/rows.hpp"

namespace sst::nn {

/// The Lorentz centroid of each node's neighbours: h = Â x, out = h / sqrt(max(|<h,h>|, 1e-8)).
///   adjacency  Â, [nodes, nodes]        x  points [nodes, dim]        returns [nodes, dim]
///   source     Chen et al. 2022, section 3.3; Law et al. 2019, "Lorentzian distance learning"
/// Sums run in stored order, without atomics. On the CPU the normalisation is fused with them, each way.
torch::Tensor lorentz_aggregate(const std::shared_ptr<const tensor::CsrMatrix>& adjacency, const torch::Tensor& x);

/// The centroid with learned weights a_ij = Â_ij sigmoid((2 + 2 <q_i, k_j>) / scale + bias), q and k two
/// Lorentz linear layers of x. Its matrices are dense, [nodes, nodes]: for small graphs. No published recipe
/// uses it.
class LorentzAttention final : public torch::nn::Module {
 public:
  LorentzAttention(int64_t dim, const Build& build, const std::string& name);

  /// x [nodes, dim] → [nodes, dim].
  torch::Tensor forward(const std::shared_ptr<const tensor::CsrMatrix>& adjacency, const torch::Tensor& x,
                        const Pass& pass);

 private:
  std::shared_ptr<LorentzLinear> query_, key_;
  torch::Tensor bias_, scale_;  ///< scalars
};

}  // namespace sst::nn
