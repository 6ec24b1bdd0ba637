#include "optim/clip.hpp"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "optim/cpu_loop.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

/// Elements summed one after the other; chunk sums are added in order, whoever computed them.
constexpr int64_t kChunk = 16384;

template <class Float>
double squares_of(const Float* values, int64_t count) {
  std::array<double, kLanes> sums{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      sums[static_cast<size_t>(lane)] += value * value;
    }
  for (; i < count; ++i) sums[0] += static_cast<double>(values[i]) * values[i];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <class Float>
double chunked_squares(const Float* values, int64_t count) {
  std::vector<double> sums(static_cast<size_t>((count + kChunk - 1) / kChunk));
  at::parallel_for(0, static_cast<int64_t>(sums.size()), kGrain / kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk)
      sums[static_cast<size_t>(chunk)] = squares_of(values + chunk * kChunk, std::min(kChunk, count - chunk * kChunk));
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// The sum of squares, added to `host` where the loop can run; other tensors are appended to `elsewhere`.
void add_squares(const Tensor& gradient, double& host, std::vector<Tensor>& elsewhere) {
  if (!fits_cpu_loop({gradient})) {
    elsewhere.push_back(gradient);
    return;
  }
  with_type_of(gradient, [&](auto zero) {
    host += chunked_squares(gradient.const_data_ptr<decltype(zero)>(), gradient.numel());
  });
}

/// The sum of the squares of all.
double squares_of(const std::vector<Tensor>& gradients) {
  double squares = 0;
  std::vector<Tensor> elsewhere;
  for (const Tensor& gradient : gradients) add_squares(gradient, squares, elsewhere);
  if (!elsewhere.empty())
    squares += torch::stack(at::_foreach_norm(elsewhere, 2, torch::kFloat64)).square_().sum().item<double>();
  return squares;
}

std::string first_non_finite(const std::vector<Parameter>& parameters, const dist::Group& sharers) {
  const auto is_bad = [](const Parameter& parameter) {
    const Tensor gradient = parameter.own_gradient();
    return gradient.defined() && !gradient.isfinite().all().item<bool>();
  };
  const auto mine = std::find_if(parameters.begin(), parameters.end(), is_bad) - parameters.begin();
  const auto first = static_cast<size_t>(-sharers.largest(-static_cast<double>(mine)));
  return first < parameters.size() ? parameters[first].name : "";
}

}  // namespace

GradientNorm clip_gradients_(const std::vector<Parameter>& parameters, double max_norm, const dist::Group& sharers) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> whole, shards;
  for (const Parameter& parameter : parameters)
    if (const Tensor gradient = parameter.own_gradient(); gradient.defined())
      (parameter.shard ? shards : whole).push_back(gradient);
  std::array<double, 1> of_shards = {squares_of(shards)};
  sharers.sum_(of_shards);

  GradientNorm result{.norm = std::sqrt(squares_of(whole) + of_shards[0]), .clipped = false, .non_finite = {}};
  if (!std::isfinite(result.norm)) {
    // Only now is the name worth a second pass. It stays empty when finite doubles overflow in the sum.
    result.non_finite = first_non_finite(parameters, sharers);
    return result;
  }
  const double factor = max_norm > 0 ? std::min(1.0, max_norm / (result.norm + 1e-6)) : 1.0;
  result.clipped = factor < 1;
  if (result.clipped)
    for (const auto& gradients : {whole, shards})
      if (!gradients.empty()) at::_foreach_mul_(gradients, factor);
  return result;
}

void add_l2_penalty_(const std::vector<Parameter>& parameters, double l2) {
  if (l2 == 0) return;
  const torch::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters)
    if (Tensor gradient = parameter.tensor.grad(); parameter.decay && gradient.defined())
      gradient.add_(parameter.tensor, 2 * l2);
}

}  // namespace sst::optim
