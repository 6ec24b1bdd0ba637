#include "nn/link_scores.hpp"

#include <ATen/Parallel.h>

#include "core/error.hpp"
#include "tensor/autograd.hpp"
#include "tensor/lanes.hpp"
#include "tensor/lorentz.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

constexpr double kMostExponent = 50;

struct Pairs {
  const int64_t* first;
  const int64_t* second;
  int64_t count;
};

Pairs pairs_of(const torch::Tensor& pairs) {
  const int64_t* data = pairs.const_data_ptr<int64_t>();
  return {data, data + pairs.size(1), pairs.size(1)};
}

void check_nodes(const torch::Tensor& pairs, int64_t nodes) {
  const int64_t* data = pairs.const_data_ptr<int64_t>();
  bool inside = true;
  for (int64_t i = 0; i < pairs.numel(); ++i) inside = inside && data[i] >= 0 && data[i] < nodes;
  require(inside, "a pair to score names a node outside the graph");
}

template <class Scalar>
void score_pairs(const Pairs& pairs, int64_t begin, int64_t end, int64_t dim, const Scalar* h, Scalar* scores) {
  for (int64_t i = begin; i < end; ++i) {
    const Scalar *u = h + pairs.first[i] * dim, *v = h + pairs.second[i] * dim;
    scores[i] = 2 + 2 * (tensor::space_dot(u, v, dim) - u[0] * v[0]);
  }
}

/// into += share · J from, J = diag(−1, 1, …, 1).
template <class Scalar>
inline void add_mirrored(Scalar share, const Scalar* from, int64_t dim, Scalar* into) {
  const Scalar time = into[0] - share * from[0];
  tensor::combine(Scalar{1}, into, share, from, dim, into);
  into[0] = time;
}

/// The gradient of nodes [begin, end). Every task walks all pairs, so that each node sees its pairs in one
/// order.
template <class Scalar>
void scatter_pairs(const Pairs& pairs, int64_t begin, int64_t end, int64_t dim, const Scalar* h, const Scalar* gradient,
                   Scalar* into) {
  const auto mine = [&](int64_t node) { return node >= begin && node < end; };
  for (int64_t i = 0; i < pairs.count; ++i) {
    const int64_t u = pairs.first[i], v = pairs.second[i];
    const Scalar share = 2 * gradient[i];
    if (share == 0) continue;  // most pairs of a margin loss, once the margin is kept
    if (mine(u)) add_mirrored(share, h + v * dim, dim, into + u * dim);
    if (mine(v)) add_mirrored(share, h + u * dim, dim, into + v * dim);
  }
}

torch::Tensor link_scores_backward(const torch::Tensor& h, const torch::Tensor& pairs, const torch::Tensor& gradient) {
  const torch::Tensor g = gradient.contiguous(), into = torch::zeros_like(h);
  const int64_t nodes = h.size(0), grain = (nodes + at::get_num_threads() - 1) / at::get_num_threads();
  AT_DISPATCH_FLOATING_TYPES(h.scalar_type(), "link_scores_backward", [&] {
    at::parallel_for(0, nodes, grain, [&](int64_t begin, int64_t end) {
      scatter_pairs<scalar_t>(pairs_of(pairs), begin, end, h.size(1), h.const_data_ptr<scalar_t>(),
                              g.const_data_ptr<scalar_t>(), into.mutable_data_ptr<scalar_t>());
    });
  });
  return into;
}

}  // namespace

torch::Tensor link_scores_plain(const torch::Tensor& h, const torch::Tensor& pairs) {
  // index() and not index_select(): its gradient is a sorted accumulation, deterministic on CUDA too.
  return 2 + 2 * tensor::lorentz::minkowski_inner(h.index({pairs[0]}), h.index({pairs[1]}));
}

torch::Tensor link_scores(const torch::Tensor& h, const torch::Tensor& pairs) {
  tensor::check_shape(h, {tensor::kAny, tensor::kAny}, "embeddings to score");
  tensor::check_shape(pairs, {2, tensor::kAny}, "pairs to score");
  if (!h.device().is_cpu()) return link_scores_plain(h, pairs);
  const torch::Tensor points = h.detach().contiguous(), nodes = pairs.contiguous();
  check_nodes(nodes, points.size(0));
  const int64_t count = nodes.size(1), dim = points.size(1);
  const torch::Tensor scores = torch::empty({count}, points.options());
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "link_scores", [&] {
    at::parallel_for(0, count, tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      score_pairs<scalar_t>(pairs_of(nodes), begin, end, dim, points.const_data_ptr<scalar_t>(),
                            scores.mutable_data_ptr<scalar_t>());
    });
  });
  return tensor::with_backward(scores, {h}, [points, nodes](const torch::Tensor& gradient, const auto&) {
    return std::vector{link_scores_backward(points, nodes, gradient)};
  });
}

torch::Tensor fermi_dirac(const torch::Tensor& squared_distance, double radius, double temperature) {
  const torch::Tensor exponent = (squared_distance - radius) / temperature;
  return 1 / (exponent.clamp_max(kMostExponent).exp() + 1);
}

}  // namespace sst::nn
