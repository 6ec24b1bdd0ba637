#pragma once

#include <torch/types.h>

namespace sst::nn {

/// Negative squared Lorentz distance of pairs of nodes, 2 + 2 <h_u, h_v>.
///   h       points [nodes, dim]        pairs  int64 [2, pairs]: first and second node of each
///   returns [pairs]
///   throws  std::logic_error when a node number lies outside [0, nodes)
/// Gradients are added up pair by pair in order, without atomics: the same bits for any number of threads.
torch::Tensor link_scores(const torch::Tensor& h, const torch::Tensor& pairs);

/// The same in LibTorch's own operations: the reference of the tests and the path of other devices.
torch::Tensor link_scores_plain(const torch::Tensor& h, const torch::Tensor& pairs);

/// Probability of a link at a squared distance, 1 / (exp(min((d² − radius) / temperature, 50)) + 1), of any
/// shape.
///   source  Krioukov et al. 2010, "Hyperbolic geometry of complex networks"; Chami et al. 2019, equation 9
torch::Tensor fermi_dirac(const torch::Tensor& squared_distance, double radius, double temperature);

}  // namespace sst::nn
