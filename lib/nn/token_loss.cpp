#include "nn/token_loss.hpp"

#include "nn/softmax_rows.hpp"
#include "tensor/autograd.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

struct Output {
  torch::Tensor loss;       ///< float64 or float32 scalar
  torch::Tensor by_hidden;  ///< gradient of scale · loss, [rows, dim]
  torch::Tensor by_weight;  ///< the same, [vocabulary, dim]
};

/// Loss of a block of rows; `logits` becomes its gradient where one is wanted.
torch::Tensor block_loss(torch::Tensor& logits, const torch::Tensor& targets, double scale, bool wants_gradient) {
  if (logits.is_cpu()) {
    const double loss = wants_gradient ? softmax_loss_(logits, targets, scale) : softmax_loss(logits, targets);
    return torch::scalar_tensor(loss, torch::kFloat64);
  }
  const torch::Tensor valid = targets >= 0, safe = targets.clamp_min(0);
  const auto wide = logits.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor log_p = torch::log_softmax(logits, 1, wide);
  const torch::Tensor loss = -(log_p.gather(1, safe.unsqueeze(1)).squeeze(1) * valid).sum(torch::kFloat64);
  if (wants_gradient) {
    torch::Tensor gradient = log_p.exp_();
    gradient.scatter_add_(1, safe.unsqueeze(1), torch::full({logits.size(0), 1}, -1.0, gradient.options()));
    logits = gradient.mul_((valid * scale).unsqueeze(1)).to(logits.scalar_type());
  }
  return loss;
}

Output run(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
           const TokenLossOptions& options, bool wants_gradient) {
  const torch::NoGradGuard no_grad;
  const auto compute = options.compute.value_or(weight.scalar_type());
  const torch::Tensor h = hidden.to(compute), w = weight.to(compute);
  const int64_t rows = h.size(0), row_bytes = w.size(0) * static_cast<int64_t>(w.element_size());
  const int64_t block = options.block_rows > 0 ? options.block_rows : std::max<int64_t>(kLogitBytes / row_bytes, 1);
  Output out{.loss = torch::zeros({}, hidden.options().dtype(torch::kFloat64)), .by_hidden = {}, .by_weight = {}};
  if (wants_gradient) out.by_hidden = torch::empty_like(h);
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t size = std::min(block, rows - begin);
    const torch::Tensor part = h.narrow(0, begin, size);
    torch::Tensor logits = part.mm(w.t());  // [size, vocabulary]
    out.loss += block_loss(logits, targets.narrow(0, begin, size), options.scale, wants_gradient);
    if (!wants_gradient) continue;
    torch::Tensor by_part = out.by_hidden.narrow(0, begin, size);
    at::mm_out(by_part, logits, w);
    if (!out.by_weight.defined())
      out.by_weight = logits.t().mm(part).to(weight.scalar_type());
    else if (compute == weight.scalar_type())
      out.by_weight.addmm_(logits.t(), part);
    else
      out.by_weight += logits.t().mm(part);
  }
  return out;
}

}  // namespace

LossSum token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
                   const TokenLossOptions& options) {
  tensor::check_shape(hidden, {tensor::kAny, weight.size(1)}, "hidden states");
  tensor::check_shape(targets, {hidden.size(0)}, "targets");
  const bool wants_gradient = torch::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  const Output out = run(hidden, weight, targets, options, wants_gradient);
  const auto count = (targets >= 0).sum().item<double>();
  const auto type = hidden.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor sum = tensor::with_backward(
      out.loss.to(type), {hidden, weight},
      [by_hidden = out.by_hidden, by_weight = out.by_weight, scale = options.scale, type = hidden.scalar_type()](
          const torch::Tensor& gradient, const std::vector<bool>&) -> std::vector<torch::Tensor> {
        const double rest = gradient.item<double>() / scale;  // 1 up to rounding, when the caller told the truth
        const torch::Tensor h = by_hidden.to(type);
        if (std::abs(rest - 1) < 1e-6) return {h, by_weight};
        return {h * rest, by_weight * rest};
      });
  return {sum, count};
}

}  // namespace sst::nn
