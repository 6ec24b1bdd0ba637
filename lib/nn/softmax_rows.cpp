#include "nn/softmax_rows.hpp"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.hpp"
#include "core/for_each_cpu.hpp"

namespace sst::nn {
namespace {

/// eˣ for x ≤ 0 to 2 units in the last place: 2ⁿ · e^r with |r| ≤ ½ ln 2, e^r by a polynomial (Cephes' expf).
[[gnu::always_inline]] inline float exp_of(float x) {
  x = x < -87.0F ? -87.0F : x;
  constexpr float kRoundToInteger = 12582912.0F;  // 1.5 · 2²³: adding it leaves no fraction bits
  const float n = (x * 1.44269504F + kRoundToInteger) - kRoundToInteger;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

[[gnu::always_inline]] inline float widened(float value) { return value; }
[[gnu::always_inline]] inline float widened(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// To bfloat16, to nearest even; the values here are finite.
[[gnu::always_inline]] inline void store(float value, float& into) { into = value; }
[[gnu::always_inline]] inline void store(float value, uint16_t& into) {
  const auto bits = std::bit_cast<uint32_t>(value);
  into = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

constexpr int64_t kLanes = 16;

struct LargestAndSum {
  float largest, sum;
};

template <bool kSums, class T>
[[gnu::always_inline]] inline LargestAndSum widen(const T* logits, int64_t count, float* wide) {
  float most[kLanes], sums[kLanes] = {};
  for (float& lane : most) lane = -std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = widened(logits[i + lane]);
      wide[i + lane] = value;
      most[lane] = value > most[lane] ? value : most[lane];
      if constexpr (kSums) sums[lane] += value;
    }
  for (; i < count; ++i) {
    wide[i] = widened(logits[i]);
    most[0] = wide[i] > most[0] ? wide[i] : most[0];
    if constexpr (kSums) sums[0] += wide[i];
  }
  for (const float lane : most) most[0] = lane > most[0] ? lane : most[0];
  return {most[0], kSums ? std::accumulate(sums, sums + kLanes, 0.0F) : 0.0F};
}

/// values ← exp(values − largest); their sum. Lanes of partial sums keep float32 accurate over 50,000 terms.
[[gnu::always_inline]] inline float exponentials(float* values, int64_t count, float largest) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float e = exp_of(values[i + lane] - largest);
      values[i + lane] = e;
      sums[lane] += e;
    }
  for (; i < count; ++i) {
    values[i] = exp_of(values[i] - largest);
    sums[0] += values[i];
  }
  return std::accumulate(sums, sums + kLanes, 0.0F);
}

template <class T>
[[gnu::always_inline]] inline void write_scaled(const float* values, float factor, float offset, int64_t count,
                                                T* out) {
  for (int64_t i = 0; i < count; ++i) store(values[i] * factor - offset, out[i]);
}

/// What a row needs besides its logits.
struct RowTask {
  int64_t classes, excluded;
  double scale;
  SmoothTarget target;

  /// Σ q log q − Σ q log p, from the sum and the two logits that are not like the others.
  double loss(double log_normaliser, double sum, double own, double excluded_logit) const {
    const double others = sum - own - excluded_logit;
    const double count = static_cast<double>(classes - 1 - (excluded >= 0 ? 1 : 0));
    return target.entropy - target.own * (own - log_normaliser) - target.other * (others - count * log_normaliser);
  }
};

/// One row, and its gradient in the place of the logits unless `gradient` is null.
template <bool kSmooth, class T>
[[gnu::always_inline]] inline SoftmaxSums row_sums(const T* logits, int64_t label, const RowTask& task, float* wide,
                                                   T* gradient) {
  const auto [largest, total] = widen<kSmooth>(logits, task.classes, wide);
  const float own = widened(logits[label]);
  const float excluded_logit = kSmooth && task.excluded >= 0 ? widened(logits[task.excluded]) : 0.0F;
  const float sum = exponentials(wide, task.classes, largest);
  if (gradient != nullptr) {
    const auto scale = static_cast<float>(task.scale);
    const float offset = kSmooth ? static_cast<float>(task.scale * task.target.other) : 0.0F;
    write_scaled(wide, scale / sum, offset, task.classes, gradient);
    store(wide[label] * (scale / sum) - static_cast<float>(task.scale * task.target.own), gradient[label]);
    if (kSmooth && task.excluded >= 0) store(wide[task.excluded] * (scale / sum), gradient[task.excluded]);
  }
  const double log_sum = std::log(static_cast<double>(sum)), top = largest;
  SoftmaxSums row{.nll = log_sum + top - static_cast<double>(own), .correct = own >= largest ? 1.0 : 0.0};
  row.loss = kSmooth ? task.loss(log_sum + top, total, own, excluded_logit) : row.nll;
  return row;
}

SST_FOR_EACH_CPU SoftmaxSums row_sums_float(const float* logits, int64_t label, const RowTask& task, float* wide,
                                            float* gradient) {
  return task.target.other > 0 ? row_sums<true>(logits, label, task, wide, gradient)
                               : row_sums<false>(logits, label, task, wide, gradient);
}

SST_FOR_EACH_CPU SoftmaxSums row_sums_bfloat16(const uint16_t* logits, int64_t label, const RowTask& task, float* wide,
                                               uint16_t* gradient) {
  return task.target.other > 0 ? row_sums<true>(logits, label, task, wide, gradient)
                               : row_sums<false>(logits, label, task, wide, gradient);
}

SoftmaxSums row_sums_double(const double* logits, int64_t label, const RowTask& task, double* gradient) {
  const double largest = *std::max_element(logits, logits + task.classes), own = logits[label];
  const double excluded_logit = task.excluded >= 0 ? logits[task.excluded] : 0;
  const double total = std::accumulate(logits, logits + task.classes, 0.0);
  double sum = 0;
  for (int64_t i = 0; i < task.classes; ++i) sum += std::exp(logits[i] - largest);
  const double normaliser = std::log(sum) + largest;
  if (gradient != nullptr)
    for (int64_t i = 0; i < task.classes; ++i) {
      const double q = i == label ? task.target.own : i == task.excluded ? 0 : task.target.other;
      gradient[i] = (std::exp(logits[i] - largest) / sum - q) * task.scale;
    }
  return {.loss = task.target.other > 0 ? task.loss(normaliser, total, own, excluded_logit) : normaliser - own,
          .nll = normaliser - own,
          .correct = own >= largest ? 1.0 : 0.0};
}

SST_FOR_EACH_CPU double log_normaliser_float(const float* logits, int64_t count, float* wide) {
  const float largest = widen<false>(logits, count, wide).largest;
  return std::log(static_cast<double>(exponentials(wide, count, largest))) + static_cast<double>(largest);
}

double log_normaliser_double(const double* logits, int64_t count) {
  const double largest = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - largest);
  return std::log(sum) + largest;
}

/// Calls row(first element of the row, target, scratch) for every row with a target and clears the others' gradient.
template <class T, class Row>
SoftmaxSums over_rows(const torch::Tensor& logits, const torch::Tensor& targets, bool clears, const Row& row) {
  const int64_t rows = logits.size(0), classes = logits.size(1);
  auto* const data = static_cast<T*>(logits.data_ptr());
  const auto* const target = targets.const_data_ptr<int64_t>();
  std::vector<SoftmaxSums> of_rows(static_cast<size_t>(rows));
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(classes));
    for (int64_t i = begin; i < end; ++i) {
      T* const values = data + i * classes;
      if (target[i] >= 0)
        of_rows[static_cast<size_t>(i)] = row(values, target[i], wide.data());
      else if (clears)
        std::fill(values, values + classes, T{});
    }
  });
  SoftmaxSums all;
  for (const SoftmaxSums& one : of_rows) {
    all.loss += one.loss;
    all.nll += one.nll;
    all.correct += one.correct;
  }
  return all;
}

SoftmaxSums sums_of(const torch::Tensor& logits, const torch::Tensor& targets, const SoftmaxOptions& options,
                    bool gradient) {
  require(logits.is_contiguous() && logits.dim() == 2 && targets.is_contiguous(), "softmax rows must be contiguous");
  const RowTask task{.classes = logits.size(1),
                     .excluded = options.label_smoothing > 0 ? options.excluded : -1,
                     .scale = options.scale,
                     .target = SmoothTarget(logits.size(1), options.label_smoothing, options.excluded >= 0)};
  switch (logits.scalar_type()) {
    case torch::kFloat32:
      return over_rows<float>(logits, targets, gradient, [&](float* row, int64_t label, float* wide) {
        return row_sums_float(row, label, task, wide, gradient ? row : nullptr);
      });
    case torch::kBFloat16:
      return over_rows<uint16_t>(logits, targets, gradient, [&](uint16_t* row, int64_t label, float* wide) {
        return row_sums_bfloat16(row, label, task, wide, gradient ? row : nullptr);
      });
    case torch::kFloat64:
      return over_rows<double>(logits, targets, gradient, [&](double* row, int64_t label, float*) {
        return row_sums_double(row, label, task, gradient ? row : nullptr);
      });
    default:
      throw std::logic_error("softmax rows in a type that is none of float64, float32, bfloat16");
  }
}

}  // namespace

torch::Tensor log_normalisers(const torch::Tensor& logits) {
  require(logits.is_contiguous() && logits.dim() == 2, "softmax rows must be contiguous");
  const int64_t rows = logits.size(0), classes = logits.size(1);
  const torch::Tensor result = torch::empty({rows}, torch::kFloat64);
  double* const into = result.mutable_data_ptr<double>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(classes));
    for (int64_t i = begin; i < end; ++i)
      into[i] = logits.scalar_type() == torch::kFloat64
                    ? log_normaliser_double(logits.const_data_ptr<double>() + i * classes, classes)
                    : log_normaliser_float(logits.const_data_ptr<float>() + i * classes, classes, wide.data());
  });
  return result;
}

SmoothTarget::SmoothTarget(int64_t classes, double label_smoothing, bool excludes_one) {
  if (label_smoothing <= 0) return;
  const auto others = static_cast<double>(classes - (excludes_one ? 2 : 1));
  own = 1 - label_smoothing;
  other = label_smoothing / others;
  entropy = own * std::log(own) + label_smoothing * std::log(other);
}

SoftmaxSums softmax_sums_(const torch::Tensor& logits, const torch::Tensor& targets, const SoftmaxOptions& options) {
  return sums_of(logits, targets, options, /*gradient=*/true);
}

SoftmaxSums softmax_sums(const torch::Tensor& logits, const torch::Tensor& targets, const SoftmaxOptions& options) {
  return sums_of(logits, targets, options, /*gradient=*/false);
}

}  // namespace sst::nn
