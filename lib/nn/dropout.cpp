#include "nn/dropout.hpp"

#include <ATen/Parallel.h>

#include <vector>

#include "core/for_each_cpu.hpp"
#include "tensor/autograd.hpp"
#include "tensor/random.hpp"

namespace sst::nn {
namespace {

/// out = x where it is kept, scaled, else 0.
SST_FOR_EACH_CPU void keep_float(const float* x, const uint8_t* keeps, float scale, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * (static_cast<float>(keeps[i]) * scale);
}
SST_FOR_EACH_CPU void keep_double(const double* x, const uint8_t* keeps, double scale, int64_t count, double* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * (static_cast<double>(keeps[i]) * scale);
}

/// x ∘ keeps · scale for contiguous tensors; draw(row) may fill a row of `keeps` first.
template <class Draw>
torch::Tensor kept_part(const torch::Tensor& x, const torch::Tensor& keeps, double scale, const Draw& draw) {
  const torch::Tensor out = torch::empty_like(x);
  const int64_t rows = keeps.size(0), count = keeps.size(1);
  auto* const bytes = keeps.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, rows, 1 + 16384 / (1 + count), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      draw(row, bytes + row * count);
      const uint8_t* const mask = bytes + row * count;
      if (x.scalar_type() == torch::kFloat32)
        keep_float(x.const_data_ptr<float>() + row * count, mask, static_cast<float>(scale), count,
                   out.mutable_data_ptr<float>() + row * count);
      else
        keep_double(x.const_data_ptr<double>() + row * count, mask, scale, count,
                    out.mutable_data_ptr<double>() + row * count);
    }
  });
  return out;
}

/// One pass each way, and a byte kept for each number.
torch::Tensor dropout_on_cpu(const torch::Tensor& x, double p, const Pass& pass, const std::string& layer) {
  const torch::Tensor in = x.detach().contiguous();
  const torch::Tensor keeps = torch::empty({in.size(0), in.numel() / in.size(0)}, torch::kUInt8);
  const double scale = 1 / (1 - p);
  const torch::Tensor out = kept_part(in, keeps, scale, [&](int64_t row, uint8_t* mask) {
    tensor::dropout_keeps(mask, keeps.size(1), p, pass.dropout_rng(layer, pass.first_row + row));
  });
  return tensor::with_backward(out, {x}, [keeps, scale](const torch::Tensor& gradient, const auto&) {
    return std::vector{kept_part(gradient.contiguous(), keeps, scale, [](int64_t, uint8_t*) {})};
  });
}

torch::Tensor dropout_on_gpu(const torch::Tensor& x, double p, const Pass& pass, const std::string& layer) {
  std::vector<CounterRng> rows;
  for (int64_t row = 0; row < x.size(0); ++row) rows.push_back(pass.dropout_rng(layer, pass.first_row + row));
  const torch::Tensor keeps = tensor::dropout_keeps_on_gpu(rows, x.numel() / x.size(0), p, x.device()).view(x.sizes());
  const auto kept_part = [keeps, scale = 1 / (1 - p)](const torch::Tensor& from) {
    return at::native_dropout_backward(from.contiguous(), keeps, scale);  // from · keeps · scale, in one pass
  };
  return tensor::with_backward(kept_part(x.detach()), {x}, [kept_part](const torch::Tensor& gradient, const auto&) {
    return std::vector{kept_part(gradient)};
  });
}

}  // namespace

torch::Tensor dropout(const torch::Tensor& x, double p, const Pass& pass, const std::string& layer) {
  if (!pass.training || p == 0 || x.numel() == 0) return x;
  if (x.is_cpu() && (x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kFloat64))
    return dropout_on_cpu(x, p, pass, layer);
  if (x.is_cuda()) return dropout_on_gpu(x, p, pass, layer);
  const int64_t batch = x.size(0);
  std::vector<torch::Tensor> factors;
  for (int64_t row = 0; row < batch; ++row)
    factors.push_back(
        tensor::dropout_factors(x.numel() / batch, p, pass.dropout_rng(layer, pass.first_row + row), torch::kFloat32));
  return x * torch::stack(factors).to(x.options()).view(x.sizes());
}

}  // namespace sst::nn
