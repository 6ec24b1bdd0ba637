#include "methods/adapter_linear.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include "nn/dropout.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// The rows that the update sees, which backward needs beside tensors that autograd tracks.
struct AdapterInput : torch::CustomClassHolder {
  explicit AdapterInput(tensor::Rows dropped_rows) : dropped(std::move(dropped_rows)) {}
  tensor::Rows dropped;
};

/// y = x W₀ᵀ + s h Bᵀ + c with h = x' Aᵀ and x' the rows after dropout; backward, with t = s dy B:
///     dA = tᵀ x',  dB = s (hᵀ dy)ᵀ,  dx = dy W₀,  dx' = t A, added to dx in place where x' is x.
/// Autograd's own products of rank r come out tall and thin, for which BLAS is up to ten times slower than for flat
/// ones at small r, and it copies y and dx once more.
class AdapterProduct : public torch::autograd::Function<AdapterProduct> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& dropped, const Variable& a,
                          const Variable& b, const Variable& offset, const Tensor& base, double scale,
                          const tensor::Rows& rows, const c10::intrusive_ptr<AdapterInput>& input) {
    const bool has_offset = offset.numel() > 0;
    const Tensor h = input->dropped.times(a.t());                               // [rows, r]
    Tensor y = nn::affine(rows, base, has_offset ? Tensor(offset) : Tensor());  // [rows, out]
    y.addmm_(h, b.t(), /*beta=*/1, scale);
    context->save_for_backward({h, a, b, base});
    context->saved_data["input"] = c10::IValue::make_capsule(input);
    context->saved_data["scale"] = scale;
    context->saved_data["needs_x"] = x.numel() > 0 && x.requires_grad();
    context->saved_data["needs_dropped"] = dropped.numel() > 0 && dropped.requires_grad();
    context->saved_data["needs_offset"] = has_offset && offset.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &h = saved[0], &a = saved[1], &b = saved[2], &base = saved[3];
    const auto input = c10::static_intrusive_pointer_cast<AdapterInput>(context->saved_data["input"].toCapsule());
    const double scale = context->saved_data["scale"].toDouble();
    const Tensor dy = gradients[0].contiguous();

    const Tensor t = tensor::Rows(dy).times(b).mul_(scale);    // [rows, r]
    const Tensor da = input->dropped.transposed_times(t).t();  // [r, in]
    const Tensor db = h.t().mm(dy).mul_(scale).t();            // [out, r]
    Tensor dx, ddropped;
    if (context->saved_data["needs_x"].toBool()) dx = dy.mm(base);  // [rows, in]
    if (context->saved_data["needs_dropped"].toBool())
      ddropped = t.mm(a);  // [rows, in]
    else if (dx.defined())
      dx.addmm_(t, a);
    const Tensor doffset = context->saved_data["needs_offset"].toBool() ? dy.sum({0}) : Tensor();
    return {dx, ddropped, da, db, doffset, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

AdapterLinear::AdapterLinear(const nn::LinearSpec& spec, const Options& options, const Tensor& initial_a)
    : LinearMap(spec),
      scale_(options.alpha / static_cast<double>(options.rank)),
      dropout_(options.dropout),
      base_(register_parameter("weight", spec.initial_weight.detach().clone(), /*requires_grad=*/false)),
      a_(register_parameter("lora_a", initial_a.detach().clone())),
      b_(register_parameter("lora_b", torch::zeros({spec.out, initial_a.size(0)}, base_.options()))) {}

Tensor AdapterLinear::product(const tensor::Rows& input, const nn::Pass& pass, const Tensor& offset) {
  const tensor::Rows x = nn::in_compute_type(input, pass);
  const tensor::Rows dropped = drop(x, pass);
  const Tensor none = a_.detach().narrow(0, 0, 0);  // a custom function takes no undefined tensors
  const auto tracked = [&](const tensor::Rows& rows) { return rows.is_sparse() ? none : rows.dense(); };
  return AdapterProduct::apply(tracked(x), drops(pass) ? tracked(dropped) : none, nn::in_compute_type(a_, pass),
                               nn::in_compute_type(b_, pass),
                               offset.defined() ? nn::in_compute_type(offset, pass) : none,
                               compute_base_.of(base_, pass), scale_, x, c10::make_intrusive<AdapterInput>(dropped));
}

/// Sequences have masks of their own, so that a step may be cut anywhere; a graph's rows are all there at once.
tensor::Rows AdapterLinear::drop(const tensor::Rows& x, const nn::Pass& pass) const {
  if (!drops(pass)) return x;
  const std::string layer = spec().name + ".adapter";
  if (x.is_sparse() || pass.rows_per_sequence == 0) return x.dropout(dropout_, pass.dropout_rng(layer));
  const Tensor sequences = x.dense().view({-1, pass.rows_per_sequence, x.cols()});
  return nn::dropout(sequences, dropout_, pass, layer).view({-1, x.cols()});
}

Tensor AdapterLinear::dense_weight() const { return torch::addmm(base_.detach(), b_.detach(), a_.detach(), 1, scale_); }

nn::RowFlops AdapterLinear::flops_per_row() const {
  const auto frozen = 2.0 * static_cast<double>(base_.numel()),
             pair = 2.0 * static_cast<double>(a_.numel() + b_.numel());
  return {.forward = frozen + pair, .backward = frozen + 2 * pair};
}

void AdapterLinear::set_dense_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  base_.copy_(weight);
  b_.zero_();
}

void AdapterLinear::merge_and_restart(const Tensor& fresh_a) {
  const torch::NoGradGuard no_grad;
  base_.addmm_(b_, a_, 1, scale_);
  a_.copy_(fresh_a);
  b_.zero_();
}

}  // namespace sst::methods
