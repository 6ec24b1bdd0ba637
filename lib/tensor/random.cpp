#include "tensor/random.hpp"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "core/for_each_cpu.hpp"
#include "tensor/gpu/kernels.hpp"

namespace sst::tensor {
namespace {

/// A uniform number in [0, 1) from two words of a stream, as CounterRng::uniform() makes it.
double unit(const uint32_t* words) {
  return static_cast<double>((words[0] | (uint64_t{words[1]} << 32)) >> 11) * 0x1.0p-53;
}

/// Value i from the words i · kWords and on: what one call after the other would draw, on all cores.
template <int64_t kWords, class FromWords>
torch::Tensor filled(torch::IntArrayRef shape, const torch::TensorOptions& options, const CounterRng& rng,
                     const FromWords& from_words) {
  if (options.device().is_meta()) return torch::empty(shape, options);
  constexpr int64_t kChunk = 256;  // values drawn at a time; whole blocks of four words
  const auto type = options.dtype().toScalarType();
  const torch::Tensor values = torch::empty(shape, type);
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, type, "random values", [&] {
    auto* const data = values.mutable_data_ptr<scalar_t>();
    const int64_t count = values.numel();
    at::parallel_for(0, (count + kChunk - 1) / kChunk, 16, [&](int64_t begin, int64_t end) {
      std::array<uint32_t, kChunk * kWords> words;
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk * kChunk, size = std::min(kChunk, count - first);
        rng.fill(static_cast<uint64_t>(first * kWords / 4), {words.data(), static_cast<size_t>(size * kWords)});
        for (int64_t i = 0; i < size; ++i)
          data[first + i] = static_cast<scalar_t>(from_words(words.data() + i * kWords));
      }
    });
  });
  return values.to(options.device());
}

constexpr int64_t kDrawChunk = 512;  // words drawn at a time; a multiple of the four in a block

uint32_t drop_threshold(double p) {
  require(p >= 0 && p < 1, "dropout needs a probability in [0, 1), not " + std::to_string(p));
  return static_cast<uint32_t>(std::min(std::llround(p * 0x1.0p32), 0xFFFFFFFFLL));
}

SST_FOR_EACH_CPU void keep_from(const uint32_t* words, int64_t count, uint32_t threshold, uint8_t* keeps) {
  for (int64_t i = 0; i < count; ++i) keeps[i] = words[i] >= threshold ? 1 : 0;
}

template <class Scalar>
void fill_dropout_factors(Scalar* factors, int64_t count, double p, const CounterRng& rng) {
  constexpr int64_t kChunk = kDrawChunk;
  const Scalar kept = static_cast<Scalar>(1 / (1 - p));
  const uint32_t threshold = drop_threshold(p);
  at::parallel_for(0, (count + kChunk - 1) / kChunk, 64, [&](int64_t begin, int64_t end) {
    std::array<uint32_t, kChunk> words;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * kChunk, size = std::min(kChunk, count - first);
      rng.fill(static_cast<uint64_t>(first / 4), {words.data(), static_cast<size_t>(size)});
      for (int64_t i = 0; i < size; ++i)
        factors[first + i] = words[static_cast<size_t>(i)] >= threshold ? kept : Scalar{0};
    }
  });
}

}  // namespace

torch::Tensor uniform(torch::IntArrayRef shape, double least, double most, const CounterRng& rng,
                      const torch::TensorOptions& options) {
  return filled<2>(shape, options, rng, [&](const uint32_t* words) { return least + (most - least) * unit(words); });
}

torch::Tensor normal(torch::IntArrayRef shape, double mean, double deviation, const CounterRng& rng,
                     const torch::TensorOptions& options) {
  return filled<4>(shape, options, rng, [&](const uint32_t* words) {  // Box-Muller, as CounterRng::normal()
    const double radius = std::sqrt(-2.0 * std::log1p(-unit(words)));
    return mean + deviation * (radius * std::cos(2.0 * std::numbers::pi * unit(words + 2)));
  });
}

torch::Tensor permutation(int64_t count, CounterRng rng) {
  const torch::Tensor order = torch::arange(count, torch::kInt64);
  int64_t* const data = order.mutable_data_ptr<int64_t>();
  for (int64_t i = count - 1; i > 0; --i) std::swap(data[i], data[rng.below(static_cast<uint64_t>(i) + 1)]);
  return order;
}

void dropout_keeps(uint8_t* keeps, int64_t count, double p, const CounterRng& rng) {
  const uint32_t threshold = drop_threshold(p);
  std::array<uint32_t, kDrawChunk> words;
  for (int64_t first = 0; first < count; first += kDrawChunk) {
    const int64_t size = std::min(kDrawChunk, count - first);
    rng.fill(static_cast<uint64_t>(first / 4), {words.data(), static_cast<size_t>(size)});
    keep_from(words.data(), size, threshold, keeps + first);
  }
}

torch::Tensor dropout_keeps_on_gpu(const std::vector<CounterRng>& rows, int64_t count, double p, torch::Device device) {
  const auto height = static_cast<int64_t>(rows.size());
  const torch::Tensor host = torch::empty({height}, torch::kInt64);
  for (int64_t row = 0; row < height; ++row)
    host.mutable_data_ptr<int64_t>()[row] = static_cast<int64_t>(rows[static_cast<size_t>(row)].index());
  const torch::Tensor indices = host.to(device),
                      keeps = torch::empty({height, count}, indices.options().dtype(torch::kBool));
  const gpu::DropoutDraw draw{.indices = reinterpret_cast<const uint64_t*>(indices.const_data_ptr<int64_t>()),
                              .rows = height,
                              .count = count,
                              .key = {rows.front().key()[0], rows.front().key()[1]},
                              .threshold = drop_threshold(p)};
  const c10::DeviceGuard on_its_device(device);
  const auto stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  gpu::dropout_keeps(draw, keeps.mutable_data_ptr<bool>(), stream.native_handle());
  return keeps;
}

torch::Tensor dropout_factors(int64_t count, double p, const CounterRng& rng, torch::ScalarType dtype) {
  const torch::Tensor factors = torch::empty({count}, dtype);
  AT_DISPATCH_FLOATING_TYPES(dtype, "dropout_factors",
                             [&] { fill_dropout_factors(factors.mutable_data_ptr<scalar_t>(), count, p, rng); });
  return factors;
}

}  // namespace sst::tensor
