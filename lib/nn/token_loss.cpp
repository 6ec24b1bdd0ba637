#include "nn/token_loss.hpp"

#include <algorithm>

#include "nn/softmax_rows.hpp"
#include "tensor/autograd.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

/// Bytes of logits that are alive at a time: large products, and a share of what the weight's gradient takes.
constexpr int64_t kLogitBytes = int64_t{112} << 20;

/// Of softmax and sums, where products have that type.
torch::ScalarType softmax_type(torch::ScalarType products) {
  return products == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
}

/// loss, nll and correct, float64 [3].
torch::Tensor sums_tensor(const SoftmaxSums& sums) {
  return torch::tensor({sums.loss, sums.nll, sums.correct}, torch::kFloat64);
}

/// The three sums of a block of rows; `logits` becomes the loss's gradient where one is wanted.
torch::Tensor block_sums(torch::Tensor& logits, const torch::Tensor& targets, const TokenLossOptions& options,
                         bool wants_gradient) {
  if (logits.is_cpu()) {
    const SoftmaxOptions softmax{
        .scale = options.scale, .label_smoothing = options.label_smoothing, .excluded = options.padding};
    return sums_tensor(wants_gradient ? softmax_sums_(logits, targets, softmax)
                                      : softmax_sums(logits, targets, softmax));
  }
  const torch::Tensor valid = targets >= 0, safe = targets.clamp_min(0).unsqueeze(1);
  const auto wide = softmax_type(logits.scalar_type());
  const SmoothTarget target(logits.size(1), options.label_smoothing, options.padding >= 0);
  const bool excludes = options.padding >= 0 && target.other > 0;
  const torch::Tensor log_p = torch::log_softmax(logits, 1, wide);
  const torch::Tensor own = log_p.gather(1, safe).squeeze(1);  // [rows]
  torch::Tensor losses = -own;
  if (target.other > 0) {
    torch::Tensor others = log_p.sum(1) - own;
    if (excludes) others -= log_p.select(1, options.padding);
    losses = target.entropy - target.own * own - target.other * others;
  }
  const torch::Tensor correct = own >= log_p.amax(1);
  const torch::Tensor sums = torch::stack({losses, -own, correct.to(wide)}, 1) * valid.unsqueeze(1);  // [rows, 3]
  if (wants_gradient) {
    torch::Tensor gradient = log_p.exp_();
    const torch::Tensor padding = excludes ? gradient.select(1, options.padding).clone() : torch::Tensor();
    if (target.other > 0) gradient -= target.other;
    if (excludes) gradient.select(1, options.padding).copy_(padding);
    gradient.scatter_add_(1, safe, torch::full({logits.size(0), 1}, target.other - target.own, gradient.options()));
    logits = gradient.mul_((valid * options.scale).unsqueeze(1)).to(logits.scalar_type());
  }
  return sums.sum(0, false, torch::kFloat64);
}

/// Whose logits exist at a time, of products of that type.
int64_t rows_at_once(const torch::Tensor& weight, torch::ScalarType compute) {
  return std::max<int64_t>(kLogitBytes / (weight.size(0) * static_cast<int64_t>(torch::elementSize(compute))), 1);
}

struct Output {
  torch::Tensor sums;       ///< float64 [3]
  torch::Tensor by_hidden;  ///< gradient of scale · loss, [rows, dim]
  torch::Tensor by_weight;  ///< the same, [vocabulary, dim]
  torch::Tensor by_bias;    ///< the same, [vocabulary], where there is a bias
};

void add_to(torch::Tensor& sum, const torch::Tensor& part) {
  if (sum.defined())
    sum += part;
  else
    sum = part;
}

Output run(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& bias,
           const torch::Tensor& targets, const TokenLossOptions& options, bool wants_gradient) {
  const torch::NoGradGuard no_grad;
  const auto compute = options.compute.value_or(weight.scalar_type());
  const torch::Tensor h = hidden.to(compute), w = weight.to(compute);
  const torch::Tensor b = bias.defined() ? bias.to(compute) : bias;
  const int64_t rows = h.size(0);
  const int64_t block = options.block_rows > 0 ? options.block_rows : rows_at_once(w, compute);
  Output out{.sums = torch::zeros({3}, hidden.options().dtype(torch::kFloat64)),
             .by_hidden = {},
             .by_weight = {},
             .by_bias = {}};
  if (wants_gradient) out.by_hidden = torch::empty_like(h);
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t size = std::min(block, rows - begin);
    const torch::Tensor part = h.narrow(0, begin, size);
    torch::Tensor logits = b.defined() ? torch::addmm(b, part, w.t()) : part.mm(w.t());  // [size, vocabulary]
    out.sums += block_sums(logits, targets.narrow(0, begin, size), options, wants_gradient);
    if (!wants_gradient) continue;
    torch::Tensor by_part = out.by_hidden.narrow(0, begin, size);
    at::mm_out(by_part, logits, w);
    if (b.defined()) add_to(out.by_bias, logits.sum(0, false, weight.scalar_type()));
    if (!out.by_weight.defined())
      out.by_weight = logits.t().mm(part).to(weight.scalar_type());
    else if (compute == weight.scalar_type())
      out.by_weight.addmm_(logits.t(), part);
    else
      out.by_weight += logits.t().mm(part);
  }
  return out;
}

/// `gradients` belong to scale · loss; backward hands them on, times whatever is left: 1 up to rounding, when the caller told
/// the truth. On a GPU a product costs less than looking.
TokenLoss with_gradients(const torch::Tensor& sums, const std::vector<torch::Tensor>& inputs,
                         std::vector<torch::Tensor> gradients, const torch::Tensor& targets,
                         const TokenLossOptions& options) {
  const auto type = inputs[0].scalar_type();
  const torch::Tensor loss = sums[0].to(type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
  TokenLoss result;
  result.sum =
      tensor::with_backward(loss, inputs,
                            [kept = std::move(gradients), scale = options.scale, type](const torch::Tensor& gradient,
                                                                                       const std::vector<bool>&) {
                              const torch::Tensor rest = gradient / scale;
                              std::vector<torch::Tensor> all = kept;
                              all[0] = all[0].to(type);
                              if (rest.is_cpu() && std::abs(rest.item<double>() - 1) < 1e-6) return all;
                              for (torch::Tensor& one : all)
                                if (one.defined())
                                  one = rest.is_cpu() ? one * rest : one.mul_(rest);  // in place: none are larger
                              return all;
                            });
  result.count = options.count ? *options.count : (targets >= 0).sum().item<double>();
  result.nll = sums[1];
  result.correct = sums[2];
  return result;
}

}  // namespace

TokenLoss token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& bias,
                     const torch::Tensor& targets, const TokenLossOptions& options) {
  tensor::check_shape(hidden, {tensor::kAny, weight.size(1)}, "hidden states");
  tensor::check_shape(targets, {hidden.size(0)}, "targets");
  const bool wants_gradient = torch::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad() ||
                                                                (bias.defined() && bias.requires_grad()));
  const Output out = run(hidden, weight, bias, targets, options, wants_gradient);
  std::vector<torch::Tensor> inputs{hidden, weight}, gradients{out.by_hidden, out.by_weight};
  if (bias.defined()) {
    inputs.push_back(bias);
    gradients.push_back(out.by_bias);
  }
  return with_gradients(out.sums, inputs, gradients, targets, options);
}

double token_loss_bytes(int64_t rows, const torch::Tensor& weight, std::optional<torch::ScalarType> compute,
                        torch::DeviceType device) {
  const auto own = weight.scalar_type(), type = compute.value_or(own);
  const bool is_cpu = device == torch::kCPU, casts = type != own;
  const auto bytes = [](int64_t count, torch::ScalarType of) {
    return static_cast<double>(count) * static_cast<double>(torch::elementSize(of));
  };
  const int64_t block = std::min(rows, rows_at_once(weight, type)), scores = block * weight.size(0);
  // of a GPU: log softmax, and its input where that is narrower; a CPU goes over the rows in place
  const auto wide = softmax_type(type);
  const double softmax = is_cpu ? 0 : bytes(scores, wide) * (type == wide ? 1 : 2);
  // the weight's gradient of one block as the product makes it; to add it to those before, a CPU widens it
  const double widened = is_cpu && block < rows ? bytes(weight.numel(), own) : 0;
  const double product = casts ? bytes(weight.numel(), type) + widened : 0;
  return (casts ? bytes(weight.numel(), type) : 0) + bytes(scores, type) + std::max(softmax, product);
}

LossSum token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
                   const TokenLossOptions& options) {
  return token_loss(hidden, weight, {}, targets, options);
}

TokenLoss token_loss_of_scores(const torch::Tensor& scores, const torch::Tensor& targets,
                               const TokenLossOptions& options) {
  tensor::check_shape(targets, {scores.size(0)}, "targets");
  const bool wants_gradient = torch::GradMode::is_enabled() && scores.requires_grad();
  const torch::NoGradGuard no_grad;
  torch::Tensor gradient = wants_gradient ? scores.detach().clone() : scores.detach();
  gradient = gradient.contiguous();
  const torch::Tensor sums = block_sums(gradient, targets, options, wants_gradient);
  const torch::AutoGradMode with_graph(wants_gradient);
  return with_gradients(sums, {scores}, {gradient}, targets, options);
}

}  // namespace sst::nn
