#include "methods/factored_linear.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "tensor/linalg.hpp"
#include "tensor/random.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// What backward needs beside tensors that autograd tracks.
struct TangentInput : torch::CustomClassHolder {
  TangentInput(tensor::Rows rows, bool augmented_bases) : x(std::move(rows)), augmented(augmented_bases) {}
  tensor::Rows x;
  bool augmented;
};

/// `block` in the leading corner of zeros like `stored`, in its type.
Tensor padded_like(const Tensor& block, at::IntArrayRef shape, torch::ScalarType type) {
  Tensor padded = torch::zeros(shape, block.options().dtype(type));
  optim::set_block(padded, block);
  return padded;
}

/// y = x V Sᵀ Uᵀ + b; backward hands the three factors the coordinates of P(W)G (optim/low_rank_matrix.hpp), with G = dyᵀ x
/// never formed: with p = x V and t = dy U,
///     gK = dyᵀ p,  gL = xᵀ t,  gS = tᵀ p,  a = gS,  b = gK − U gS,  c = gL − V gSᵀ,  dx = t S Vᵀ.
class TangentProduct : public torch::autograd::Function<TangentProduct> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& stored_u,
                          const Variable& stored_s, const Variable& stored_v, const Variable& bias, const Tensor& u,
                          const Tensor& s, const Tensor& v, const c10::intrusive_ptr<TangentInput>& input) {
    const Tensor p = input->x.times(v.t());  // [rows, q]
    const Tensor inner = p.mm(s.t());        // [rows, r]
    const bool has_bias = bias.numel() > 0;
    const Tensor y = has_bias ? torch::addmm(bias.to(u.scalar_type()), inner, u) : inner.mm(u);  // [rows, out]
    context->save_for_backward({p, u, s, v});
    context->saved_data["input"] = c10::IValue::make_capsule(input);
    context->saved_data["shapes"] = std::vector<int64_t>{stored_u.size(0), stored_u.size(1), stored_s.size(0),
                                                         stored_s.size(1), stored_v.size(0), stored_v.size(1)};
    context->saved_data["master"] = static_cast<int64_t>(stored_s.scalar_type());
    context->saved_data["needs_x"] = x.numel() > 0 && x.requires_grad();
    context->saved_data["needs_bias"] = has_bias && bias.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &p = saved[0], &u = saved[1], &s = saved[2], &v = saved[3];
    const auto input = c10::static_intrusive_pointer_cast<TangentInput>(context->saved_data["input"].toCapsule());
    const auto shapes = context->saved_data["shapes"].toIntVector();
    const auto master = static_cast<torch::ScalarType>(context->saved_data["master"].toInt());
    const Tensor dy = gradients[0].contiguous();

    const Tensor t = dy.mm(u.t());  // [rows, r]
    const Tensor gs = t.t().mm(p);  // [r, q]
    Tensor du, dv;
    if (!input->augmented) {  // in augmented bases only S moves
      du = padded_like(p.t().mm(dy) - gs.t().mm(u), {shapes[0], shapes[1]}, master);
      dv = padded_like(input->x.transposed_times(t).t() - gs.mm(v), {shapes[4], shapes[5]}, master);
    }
    const Tensor ds = padded_like(gs, {shapes[2], shapes[3]}, master);
    const Tensor dx = context->saved_data["needs_x"].toBool() ? t.mm(s).mm(v) : Tensor();  // [rows, in]
    const Tensor dbias = context->saved_data["needs_bias"].toBool() ? dy.sum({0}, false, master) : Tensor();
    return {dx, du, ds, dv, dbias, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

/// Random orthonormal columns [rows, rank]: a pure function of (seed, name).
Tensor random_basis(int64_t rows, int64_t rank, uint64_t seed, const std::string& name,
                    const torch::TensorOptions& like) {
  const CounterRng rng(seed, Stream::kMethod, name_index(name));
  const auto type = like.dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  return std::get<0>(torch::linalg_qr(tensor::normal({rows, rank}, 0, 1, rng, like.dtype(type)))).to(like.dtype());
}

int64_t clipped(int64_t rank, const nn::LinearSpec& spec) { return std::min({rank, spec.in, spec.out}); }

/// The `rank` leading triplets in the type of the weight.
optim::LowRankPoint best_approximation(const Tensor& weight, int64_t rank) {
  const auto svd = tensor::thin_svd(weight);
  const auto type = weight.scalar_type();
  return {.u = svd.u.narrow(1, 0, rank).to(type),
          .s = svd.s.narrow(0, 0, rank).diag().to(type),
          .v = svd.vt.narrow(0, 0, rank).t().to(type)};
}

optim::LowRankPoint starting_point(const nn::LinearSpec& spec, const FactoredOptions& options, const Tensor& weight,
                                   FactoredInit init) {
  const int64_t rank = clipped(options.rank, spec);
  if (init == FactoredInit::kSvd) return best_approximation(weight, rank);
  const auto like = weight.options().requires_grad(false);
  const Tensor s = init == FactoredInit::kAdapter
                       ? torch::zeros({rank, rank}, like)
                       : tensor::thin_svd(weight).s.narrow(0, 0, rank).diag().to(like.dtype());
  return {.u = random_basis(spec.out, rank, options.seed, spec.name + ".u", like),
          .s = s,
          .v = random_basis(spec.in, rank, options.seed, spec.name + ".v", like)};
}

}  // namespace

FactoredLinear::FactoredLinear(const nn::LinearSpec& spec, const FactoredOptions& options)
    : LinearMap(spec), options_(options), matrix_(std::make_shared<optim::LowRankMatrix>()) {
  const int64_t largest =
      clipped(std::max(options.rank, options.truncation.tolerance > 0 ? options.truncation.rank_max : 0), spec);
  options_.truncation.rank_max = largest;
  options_.truncation.rank_min = std::min(options.truncation.rank_min, largest);
  const int64_t bases = options.inner_steps > 1 ? 2 : 1;  // augmented ones have to outlive an update
  const int64_t room_u = std::min(bases * largest, spec.out), room_v = std::min(bases * largest, spec.in);
  const auto like = spec.initial_weight.options().requires_grad(false);
  if (options.init == FactoredInit::kAdapter)
    base_ = register_parameter("weight", spec.initial_weight.detach().clone(), /*requires_grad=*/false);
  matrix_->u = register_parameter("u", torch::zeros({room_u, spec.out}, like));
  matrix_->s = register_parameter("s", torch::zeros({room_u, room_v}, like));
  matrix_->v = register_parameter("v", torch::zeros({room_v, spec.in}, like));
  matrix_->in_use = register_buffer("in_use", torch::zeros({3}, torch::kInt64));
  matrix_->truncation = options_.truncation;
  matrix_->inner_steps = options.inner_steps;
  const torch::NoGradGuard no_grad;
  matrix_->set(starting_point(spec, options, spec.initial_weight, options.init), clipped(options.rank, spec));
}

void FactoredLinear::set_dense_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  if (base_.defined()) base_.copy_(weight);
  // Weights that were given are worth more than random bases: only an adapter keeps those.
  const auto init = base_.defined() ? FactoredInit::kAdapter : FactoredInit::kSvd;
  matrix_->set(starting_point(spec(), options_, weight.to(matrix_->u.options()), init), clipped(options_.rank, spec()));
}

nn::RowFlops FactoredLinear::flops_per_row() const {
  const auto frozen = base_.defined() ? 2.0 * static_cast<double>(base_.numel()) : 0;
  const auto in = static_cast<double>(spec().in), out = static_cast<double>(spec().out);
  const auto rank = static_cast<double>(matrix_->rank()), factors = 2 * rank * (in + out + rank);
  return {.forward = frozen + factors, .backward = frozen + 2 * factors};
}

Tensor FactoredLinear::dense_weight() const {
  const auto at = matrix_->point();
  const Tensor product = at.u.mm(at.s).mm(at.v.t());
  return base_.defined() ? base_.detach() + product : product;
}

std::shared_ptr<optim::LowRankMatrix> FactoredLinear::train_as_one() {
  as_one_ = true;
  return matrix_;
}

Tensor FactoredLinear::apply(const tensor::Rows& input, const nn::Pass& pass) {
  const tensor::Rows x = nn::in_compute_type(input, pass);
  const int64_t r = matrix_->rows_of_u(), q = matrix_->rows_of_v();
  const Tensor u = compute_u_.of(matrix_->u, pass).narrow(0, 0, r);  // [r, out]
  const Tensor v = compute_v_.of(matrix_->v, pass).narrow(0, 0, q);  // [q, in]
  const Tensor s = nn::in_compute_type(matrix_->s, pass).narrow(0, 0, r).narrow(1, 0, q);
  Tensor y;
  if (as_one_) {
    const Tensor none = s.detach().narrow(0, 0, 0);  // a custom function takes no undefined tensors
    y = TangentProduct::apply(x.is_sparse() ? none : x.dense(), matrix_->u, matrix_->s, matrix_->v,
                              bias().defined() ? bias() : none, u.detach(), s.detach(), v.detach(),
                              c10::make_intrusive<TangentInput>(x, matrix_->augmented()));
  } else {
    y = x.matmul(v.t()).mm(s.t()).mm(u);  // [rows, out]
    if (bias().defined()) y = y + nn::in_compute_type(bias(), pass);
  }
  return base_.defined() ? y + x.matmul(compute_base_.of(base_, pass).t()) : y;
}

ProductLinear::ProductLinear(const nn::LinearSpec& spec, const FactoredOptions& options)
    : LinearMap(spec), options_(options) {
  const int64_t rank = clipped(options.rank, spec);
  const auto like = spec.initial_weight.options().requires_grad(false);
  if (options.init == FactoredInit::kAdapter)
    base_ = register_parameter("weight", spec.initial_weight.detach().clone(), /*requires_grad=*/false);
  b_ = register_parameter("factor_b", torch::zeros({spec.out, rank}, like));
  a_ = register_parameter("factor_a", torch::zeros({rank, spec.in}, like));
  const torch::NoGradGuard no_grad;
  const auto start = starting_point(spec, options, spec.initial_weight, options.init);
  const Tensor root = start.s.sqrt();  // diagonal
  b_.copy_(start.u.mm(root));
  a_.copy_(base_.defined() ? start.v.t() : root.mm(start.v.t()));
}

void ProductLinear::set_dense_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  if (base_.defined()) {
    base_.copy_(weight);
    b_.zero_();
    return;
  }
  const auto start = best_approximation(weight.to(a_.options()), a_.size(0));
  b_.copy_(start.u.mm(start.s.sqrt()));
  a_.copy_(start.s.sqrt().mm(start.v.t()));
}

Tensor ProductLinear::dense_weight() const {
  const Tensor product = b_.detach().mm(a_.detach());
  return base_.defined() ? base_.detach() + product : product;
}

Tensor ProductLinear::apply(const tensor::Rows& input, const nn::Pass& pass) {
  const tensor::Rows x = nn::in_compute_type(input, pass);
  Tensor y = x.matmul(compute_a_.of(a_, pass).t()).mm(compute_b_.of(b_, pass).t());  // [rows, out]
  if (base_.defined()) y = y + x.matmul(compute_base_.of(base_, pass).t());
  return bias().defined() ? y + nn::in_compute_type(bias(), pass) : y;
}

}  // namespace sst::methods
