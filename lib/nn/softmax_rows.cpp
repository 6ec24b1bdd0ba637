#include "nn/softmax_rows.hpp"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.hpp"
#include "core/for_each_cpu.hpp"

namespace sst::nn {
namespace {

// Vectors are written out: compilers do not make them of loops that carry several running sums. Eight numbers at a time
// suit AVX2, and become two instructions where registers are smaller.
constexpr int64_t kLanes = 8;
typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));

// They go by reference: how they are passed by value depends on the processor.
[[gnu::always_inline]] inline void raise_to(float& x, const float& least) { x = least > x ? least : x; }
[[gnu::always_inline]] inline void raise_to(Floats& x, const Floats& least) { x = least > x ? least : x; }
[[gnu::always_inline]] inline void scale_by_power(float& x, const float& n) {
  x *= std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}
[[gnu::always_inline]] inline void scale_by_power(Floats& x, const Floats& n) {
  x *= reinterpret_cast<Floats>((__builtin_convertvector(n, Ints) + 127) << 23);
}

/// x ← eˣ for x ≤ 0 to 2 units in the last place: 2ⁿ · e^r with |r| ≤ ½ ln 2, e^r by a polynomial (Cephes' expf).
template <class Number>
[[gnu::always_inline]] inline void exponentiate(Number& x) {
  constexpr float kRoundToInteger = 12582912.0F;  // 1.5 · 2²³: adding it leaves no fraction bits
  raise_to(x, Number{} - 87.0F);
  const Number n = (x * 1.44269504F + kRoundToInteger) - kRoundToInteger;
  const Number r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Number p = Number{} + 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  x = p * r * r + r + 1.0F;
  scale_by_power(x, n);
}

[[gnu::always_inline]] inline float widened(float value) { return value; }
[[gnu::always_inline]] inline float widened(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
[[gnu::always_inline]] inline void load(const float* from, Floats& into) { std::memcpy(&into, from, sizeof into); }
[[gnu::always_inline]] inline void load(const uint16_t* from, Floats& into) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  into = reinterpret_cast<Floats>(__builtin_convertvector(halves, Words) << 16);
}

/// Bits of bfloat16, to nearest even; the values here are finite.
template <class Bits>
[[gnu::always_inline]] inline void round_bits(Bits& bits) {
  bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
}
[[gnu::always_inline]] inline void store(const float& value, float* into) { *into = value; }
[[gnu::always_inline]] inline void store(const float& value, uint16_t* into) {
  auto bits = std::bit_cast<uint32_t>(value);
  round_bits(bits);
  *into = static_cast<uint16_t>(bits);
}
[[gnu::always_inline]] inline void store(const Floats& values, float* into) {
  std::memcpy(into, &values, sizeof values);
}
[[gnu::always_inline]] inline void store(const Floats& values, uint16_t* into) {
  auto bits = reinterpret_cast<Words>(values);
  round_bits(bits);
  const Halves halves = __builtin_convertvector(bits, Halves);
  std::memcpy(into, &halves, sizeof halves);
}

/// Sixteen running sums keep float32 accurate over 50,000 terms.
struct RunningSums {
  Floats low{}, high{};

  [[gnu::always_inline]] float total() const {
    float sum = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) sum += low[lane];
    for (int64_t lane = 0; lane < kLanes; ++lane) sum += high[lane];
    return sum;
  }
};

struct LargestAndSum {
  float largest, sum;
};

template <bool kSums, class T>
[[gnu::always_inline]] inline LargestAndSum largest_and_sum(const T* logits, int64_t count) {
  Floats low = Floats{} - std::numeric_limits<float>::infinity(), high = low, first, second;
  RunningSums sums;
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    load(logits + i, first);
    load(logits + i + kLanes, second);
    raise_to(low, first);
    raise_to(high, second);
    if constexpr (kSums) {
      sums.low += first;
      sums.high += second;
    }
  }
  raise_to(low, high);
  LargestAndSum result{low[0], 0};
  for (int64_t lane = 1; lane < kLanes; ++lane) raise_to(result.largest, low[lane]);
  for (; i < count; ++i) {
    const float value = widened(logits[i]);
    raise_to(result.largest, value);
    if constexpr (kSums) sums.low[0] += value;
  }
  result.sum = kSums ? sums.total() : 0;
  return result;
}

/// Σ exp(logits − largest); the terms go to `kept` unless it is null.
template <class T>
[[gnu::always_inline]] inline float exponentials(const T* logits, int64_t count, float largest, float* kept) {
  RunningSums sums;
  Floats first, second;
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    load(logits + i, first);
    load(logits + i + kLanes, second);
    first -= largest;
    second -= largest;
    exponentiate(first);
    exponentiate(second);
    if (kept != nullptr) {
      store(first, kept + i);
      store(second, kept + i + kLanes);
    }
    sums.low += first;
    sums.high += second;
  }
  for (; i < count; ++i) {
    float e = widened(logits[i]) - largest;
    exponentiate(e);
    if (kept != nullptr) kept[i] = e;
    sums.low[0] += e;
  }
  return sums.total();
}

template <class T>
[[gnu::always_inline]] inline void write_scaled(const float* values, float factor, float offset, int64_t count,
                                                T* out) {
  Floats part;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    load(values + i, part);
    part = part * factor - offset;
    store(part, out + i);
  }
  for (; i < count; ++i) store(values[i] * factor - offset, out + i);
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
  const auto [largest, total] = largest_and_sum<kSmooth>(logits, task.classes);
  const float own = widened(logits[label]);
  const float excluded_logit = kSmooth && task.excluded >= 0 ? widened(logits[task.excluded]) : 0.0F;
  const float sum = exponentials(logits, task.classes, largest, gradient != nullptr ? wide : nullptr);
  if (gradient != nullptr) {
    const auto scale = static_cast<float>(task.scale);
    const float offset = kSmooth ? static_cast<float>(task.scale * task.target.other) : 0.0F;
    write_scaled(wide, scale / sum, offset, task.classes, gradient);
    store(wide[label] * (scale / sum) - static_cast<float>(task.scale * task.target.own), gradient + label);
    if (kSmooth && task.excluded >= 0) store(wide[task.excluded] * (scale / sum), gradient + task.excluded);
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

SST_FOR_EACH_CPU double log_normaliser_float(const float* logits, int64_t count) {
  const float largest = largest_and_sum<false>(logits, count).largest;
  return std::log(static_cast<double>(exponentials(logits, count, largest, nullptr))) + static_cast<double>(largest);
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
    for (int64_t i = begin; i < end; ++i)
      into[i] = logits.scalar_type() == torch::kFloat64
                    ? log_normaliser_double(logits.const_data_ptr<double>() + i * classes, classes)
                    : log_normaliser_float(logits.const_data_ptr<float>() + i * classes, classes);
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
