#include "nn/lorentz_linear.hpp"

#include <ATen/Parallel.h>

#include "nn/dropout.hpp"
#include "tensor/autograd.hpp"
#include "tensor/lanes.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

constexpr double kLeastTime = 1.1;
constexpr double kLeastSquare = 1e-8;

/// What the backward pass wants to know of each row, [rows, 2]: sigmoid(y_0) exp(s), and the factor of the
/// space part.
constexpr int64_t kSavedPerRow = 2;

template <class Scalar>
void lift_rows(int64_t begin, int64_t end, int64_t dim, Scalar most, const Scalar* y, Scalar* out, Scalar* saved) {
  for (int64_t row = begin; row < end; ++row) {
    const Scalar* in = y + row * dim;
    Scalar* point = out + row * dim;
    const Scalar raised = most / (1 + std::exp(-in[0]));
    const Scalar time = raised + static_cast<Scalar>(kLeastTime);
    const Scalar square = std::max(tensor::space_dot(in, in, dim), static_cast<Scalar>(kLeastSquare));
    const Scalar factor = std::sqrt((time * time - 1) / square);
    tensor::scale(factor, in, dim, point);
    point[0] = time;
    saved[row * kSavedPerRow] = raised;
    saved[row * kSavedPerRow + 1] = factor;
  }
}

/// Gradient with respect to y into `into`; each row's share of the gradient of log_scale into `scale_shares`.
template <class Scalar>
void lift_rows_backward(int64_t begin, int64_t end, int64_t dim, Scalar most, const Scalar* y, const Scalar* saved,
                        const Scalar* gradient, Scalar* into, Scalar* scale_shares) {
  for (int64_t row = begin; row < end; ++row) {
    const Scalar *in = y + row * dim, *g = gradient + row * dim;
    Scalar* result = into + row * dim;
    const Scalar raised = saved[row * kSavedPerRow], factor = saved[row * kSavedPerRow + 1];
    const Scalar time = raised + static_cast<Scalar>(kLeastTime);
    const Scalar square = tensor::space_dot(in, in, dim);
    const Scalar floored = std::max(square, static_cast<Scalar>(kLeastSquare));
    const Scalar along = tensor::space_dot(g, in, dim);
    const Scalar by_time = g[0] + along * time / (floored * factor);
    const Scalar pull = square >= static_cast<Scalar>(kLeastSquare) ? along * factor / floored : Scalar{0};
    tensor::combine(factor, g, -pull, in, dim, result);
    result[0] = by_time * raised * (1 - raised / most);
    scale_shares[row] = by_time * raised;
  }
}

/// In row order and double precision, whatever the number of threads.
template <class Scalar>
double sum_in_order(const Scalar* values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
  return sum;
}

std::vector<torch::Tensor> lift_backward(const torch::Tensor& y, const torch::Tensor& log_scale,
                                         const torch::Tensor& saved, const torch::Tensor& gradient) {
  const torch::Tensor g = gradient.contiguous();
  const int64_t rows = y.size(0), dim = y.size(1);
  const torch::Tensor into = torch::empty_like(y), shares = torch::empty({rows}, y.options());
  torch::Tensor by_scale;
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "lift_backward", [&] {
    const scalar_t most = std::exp(log_scale.item<scalar_t>());
    at::parallel_for(0, rows, tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      lift_rows_backward<scalar_t>(begin, end, dim, most, y.const_data_ptr<scalar_t>(),
                                   saved.const_data_ptr<scalar_t>(), g.const_data_ptr<scalar_t>(),
                                   into.mutable_data_ptr<scalar_t>(), shares.mutable_data_ptr<scalar_t>());
    });
    by_scale = torch::full({}, sum_in_order(shares.const_data_ptr<scalar_t>(), rows), y.options());
  });
  return {into, by_scale};
}

}  // namespace

torch::Tensor lift_to_hyperboloid_plain(const torch::Tensor& y, const torch::Tensor& log_scale) {
  const torch::Tensor time = y.narrow(1, 0, 1).sigmoid() * log_scale.exp() + kLeastTime;  // [rows, 1]
  const torch::Tensor space = y.narrow(1, 1, y.size(1) - 1);                              // [rows, dim - 1]
  const torch::Tensor square = space.square().sum(1, /*keepdim=*/true).clamp_min(kLeastSquare);
  return torch::cat({time, space * ((time.square() - 1) / square).sqrt()}, 1);  // [rows, dim]
}

torch::Tensor lift_to_hyperboloid(const torch::Tensor& y, const torch::Tensor& log_scale) {
  tensor::check_shape(y, {tensor::kAny, tensor::kAny}, "output of a Lorentz layer's linear map");
  if (!y.device().is_cpu()) return lift_to_hyperboloid_plain(y, log_scale);
  const torch::Tensor in = y.detach().contiguous(), scale = log_scale.detach();
  const int64_t rows = in.size(0), dim = in.size(1);
  const torch::Tensor points = torch::empty_like(in), saved = torch::empty({rows, kSavedPerRow}, in.options());
  AT_DISPATCH_FLOATING_TYPES(in.scalar_type(), "lift_to_hyperboloid", [&] {
    const scalar_t most = std::exp(scale.item<scalar_t>());
    at::parallel_for(0, rows, tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      lift_rows<scalar_t>(begin, end, dim, most, in.const_data_ptr<scalar_t>(), points.mutable_data_ptr<scalar_t>(),
                          saved.mutable_data_ptr<scalar_t>());
    });
  });
  return tensor::with_backward(points, {y, log_scale}, [in, scale, saved](const torch::Tensor& gradient, const auto&) {
    return lift_backward(in, scale, saved, gradient);
  });
}

LorentzLinearOptions translation_linear(LorentzLinearOptions options) {
  options.init_bound = 0.02;
  options.init_scale = 2.3;
  return options;
}

LorentzLinear::LorentzLinear(const LorentzLinearOptions& options, const Build& build, const std::string& name)
    : options_(options), name_(name) {
  const double bound = options.init_bound > 0 ? options.init_bound : 1 / std::sqrt(static_cast<double>(options.out));
  torch::Tensor initial =
      build.initial_matrix({options.out, options.in}, name + ".weight.weight",
                           [&](torch::IntArrayRef shape, const CounterRng& draws, const torch::TensorOptions& tensors) {
                             return tensor::uniform(shape, -bound, bound, draws, tensors);
                           });  // [out, in]
  for (int64_t column = 0; column < options.in; column += options.in / options.heads) initial.select(1, column).zero_();
  weight_ = register_module("weight", build.linear({.in = options.in,
                                                    .out = options.out,
                                                    .bias = options.bias,
                                                    .name = name + ".weight",
                                                    .in_block = options.in_block,
                                                    .initial_weight = initial}));
  scale_ = register_parameter("scale", torch::full({}, options.init_scale, build.tensors));
}

torch::Tensor LorentzLinear::forward(const tensor::Rows& x, const Pass& pass) {
  tensor::Rows input = options_.relu ? x.relu() : x;
  if (pass.training) input = input.dropout(options_.dropout, pass.dropout_rng(name_));
  return lift_to_hyperboloid(weight_->forward(input, pass), scale_);
}

torch::Tensor LorentzLinear::forward_sequences(const torch::Tensor& x, const Pass& pass,
                                               const torch::Tensor& residual) {
  tensor::check_shape(x, {tensor::kAny, tensor::kAny, options_.in}, "input of a Lorentz layer");
  const torch::Tensor input = dropout(options_.relu ? x.relu() : x, options_.dropout, pass, name_);
  torch::Tensor y = weight_->forward(input, pass).to(scale_.scalar_type());  // [batch, time, out]
  if (residual.defined()) y = y + residual;
  const int64_t dim = options_.out / (options_.split ? options_.heads : 1);
  return lift_to_hyperboloid(y.view({-1, dim}), scale_).view(y.sizes());
}

}  // namespace sst::nn
