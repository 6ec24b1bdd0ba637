#include "nn/top_words.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/for_each_cpu.hpp"
#include "nn/softmax_rows.hpp"

namespace sst::nn {
namespace {

constexpr int64_t kStretch = 64;  ///< scores that are looked at together

SST_FOR_EACH_CPU bool any_above_float(const float* scores, float least) {
  int above = 0;
  for (int64_t i = 0; i < kStretch; ++i) above |= scores[i] > least ? 1 : 0;
  return above != 0;
}
SST_FOR_EACH_CPU bool any_above_double(const double* scores, double least) {
  int above = 0;
  for (int64_t i = 0; i < kStretch; ++i) above |= scores[i] > least ? 1 : 0;
  return above != 0;
}
bool any_above(const float* scores, float least) { return any_above_float(scores, least); }
bool any_above(const double* scores, double least) { return any_above_double(scores, least); }

/// The `count` largest of a row with their places, largest first; of equals the first ones.
template <class Scalar>
void largest_of(const Scalar* scores, int64_t size, int64_t count, double* values, int64_t* places) {
  int64_t held = 0;
  const auto offer = [&](int64_t i) {
    const auto value = static_cast<double>(scores[i]);
    if (held == count && !(value > values[held - 1])) return;
    int64_t at = held < count ? held++ : held - 1;
    for (; at > 0 && value > values[at - 1]; --at) {
      values[at] = values[at - 1];
      places[at] = places[at - 1];
    }
    values[at] = value;
    places[at] = i;
  };
  int64_t i = 0;
  for (; i < std::min(count, size); ++i) offer(i);
  for (; i + kStretch <= size; i += kStretch) {
    if (!any_above(scores + i, static_cast<Scalar>(values[count - 1]))) continue;
    for (int64_t j = i; j < i + kStretch; ++j) offer(j);
  }
  for (; i < size; ++i) offer(i);
}

}  // namespace

TopWords top_words(const torch::Tensor& scores, int64_t count) {
  const torch::NoGradGuard no_grad;
  const auto wide = scores.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor exact = scores.to(wide).contiguous();
  if (!exact.is_cpu()) {
    const auto [values, words] = exact.topk(count, /*dim=*/1);
    return {(values - torch::logsumexp(exact, 1, /*keepdim=*/true)).to(torch::kCPU, torch::kFloat64), words.cpu()};
  }
  const int64_t rows = exact.size(0), size = exact.size(1);
  TopWords top{.log_p = torch::empty({rows, count}, torch::kFloat64),
               .words = torch::empty({rows, count}, torch::kInt64)};
  AT_DISPATCH_FLOATING_TYPES(wide, "top_words", [&] {
    at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        largest_of(exact.const_data_ptr<scalar_t>() + row * size, size, count,
                   top.log_p.mutable_data_ptr<double>() + row * count,
                   top.words.mutable_data_ptr<int64_t>() + row * count);
    });
  });
  top.log_p -= log_normalisers(exact).unsqueeze(1);
  return top;
}

}  // namespace sst::nn
