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

// The loops below are plain, so that the compiler makes vector instructions of them, once for each kind of processor;
// the right one is chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SST_FOR_EACH_CPU \
  __attribute__((optimize("O3,no-trapping-math"), target_clones("arch=skylake-avx512,avx2,default")))
#else
#define SST_FOR_EACH_CPU
#endif

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

template <class T>
[[gnu::always_inline]] inline float widen_and_find_largest(const T* logits, int64_t count, float* wide) {
  float most[kLanes];
  for (float& lane : most) lane = -std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = widened(logits[i + lane]);
      wide[i + lane] = value;
      most[lane] = value > most[lane] ? value : most[lane];
    }
  for (; i < count; ++i) {
    wide[i] = widened(logits[i]);
    most[0] = wide[i] > most[0] ? wide[i] : most[0];
  }
  for (const float lane : most) most[0] = lane > most[0] ? lane : most[0];
  return most[0];
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
[[gnu::always_inline]] inline void write_scaled(const float* values, float factor, int64_t count, T* out) {
  for (int64_t i = 0; i < count; ++i) store(values[i] * factor, out[i]);
}

/// One row: its loss, and its gradient in the place of the logits unless `gradient` is null.
template <class T>
[[gnu::always_inline]] inline double row_loss(const T* logits, int64_t count, int64_t target, float scale, float* wide,
                                              T* gradient) {
  const float largest = widen_and_find_largest(logits, count, wide);
  const float own = widened(logits[target]);
  const float sum = exponentials(wide, count, largest);
  if (gradient != nullptr) {
    write_scaled(wide, scale / sum, count, gradient);
    store(wide[target] * (scale / sum) - scale, gradient[target]);
  }
  return std::log(static_cast<double>(sum)) + static_cast<double>(largest) - static_cast<double>(own);
}

SST_FOR_EACH_CPU double row_loss_float(const float* logits, int64_t count, int64_t target, float scale, float* wide,
                                       float* gradient) {
  return row_loss(logits, count, target, scale, wide, gradient);
}

SST_FOR_EACH_CPU double row_loss_bfloat16(const uint16_t* logits, int64_t count, int64_t target, float scale,
                                          float* wide, uint16_t* gradient) {
  return row_loss(logits, count, target, scale, wide, gradient);
}

double row_loss_double(const double* logits, int64_t count, int64_t target, double scale, double* gradient) {
  const double largest = *std::max_element(logits, logits + count), own = logits[target];
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - largest);
  if (gradient != nullptr)
    for (int64_t i = 0; i < count; ++i)
      gradient[i] = (std::exp(logits[i] - largest) / sum - (i == target ? 1 : 0)) * scale;
  return std::log(sum) + largest - own;
}

/// Calls row(first element of the row, target, scratch) for every row with a target and clears the others' gradient.
template <class T, class Row>
double over_rows(const torch::Tensor& logits, const torch::Tensor& targets, bool clears, const Row& row) {
  const int64_t rows = logits.size(0), classes = logits.size(1);
  auto* const data = static_cast<T*>(logits.data_ptr());
  const auto* const target = targets.const_data_ptr<int64_t>();
  std::vector<double> losses(static_cast<size_t>(rows));
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(classes));
    for (int64_t i = begin; i < end; ++i) {
      T* const values = data + i * classes;
      if (target[i] >= 0)
        losses[static_cast<size_t>(i)] = row(values, target[i], wide.data());
      else if (clears)
        std::fill(values, values + classes, T{});
    }
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double softmax_loss_rows(const torch::Tensor& logits, const torch::Tensor& targets, double scale, bool gradient) {
  require(logits.is_contiguous() && logits.dim() == 2 && targets.is_contiguous(), "softmax rows must be contiguous");
  const int64_t classes = logits.size(1);
  const auto narrow = static_cast<float>(scale);
  switch (logits.scalar_type()) {
    case torch::kFloat32:
      return over_rows<float>(logits, targets, gradient, [&](float* row, int64_t target, float* wide) {
        return row_loss_float(row, classes, target, narrow, wide, gradient ? row : nullptr);
      });
    case torch::kBFloat16:
      return over_rows<uint16_t>(logits, targets, gradient, [&](uint16_t* row, int64_t target, float* wide) {
        return row_loss_bfloat16(row, classes, target, narrow, wide, gradient ? row : nullptr);
      });
    case torch::kFloat64:
      return over_rows<double>(logits, targets, gradient, [&](double* row, int64_t target, float*) {
        return row_loss_double(row, classes, target, scale, gradient ? row : nullptr);
      });
    default:
      throw std::logic_error("softmax rows in a type that is none of float64, float32, bfloat16");
  }
}

}  // namespace

double softmax_loss_(const torch::Tensor& logits, const torch::Tensor& targets, double scale) {
  return softmax_loss_rows(logits, targets, scale, /*gradient=*/true);
}

double softmax_loss(const torch::Tensor& logits, const torch::Tensor& targets) {
  return softmax_loss_rows(logits, targets, 1, /*gradient=*/false);
}

}  // namespace sst::nn
