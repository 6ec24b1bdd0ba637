#include "methods/spectral_linear.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "core/error.hpp"
#include "tensor/linalg.hpp"
#include "tensor/random.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// What backward needs beside tensors that autograd tracks.
struct Factors : torch::CustomClassHolder {
  Factors(tensor::Rows rows, bool enhanced_gradient, bool all_sigma)
      : x(std::move(rows)), enhanced(enhanced_gradient), train_all_sigma(all_sigma) {}
  tensor::Rows x;
  bool enhanced;
  bool train_all_sigma;
};

/// y = ((x V) ∘ σ) Uᵀ + b, and its gradients row-major, without forming G = dyᵀ x (sst.md 2.5):
///     P = x V,  T = dy U,  dσ = Σ_rows P ∘ T,  du_i = dyᵀ P_i,  dv_i = xᵀ T_i  for active i,  dx = (T ∘ σ) Vᵀ.
/// Products run in the type of x, u, v and sigma, gradients are handed back in that of the trained tensors.
/// The enhanced gradient leaves out the factor σ_i that the true derivative of u_i and v_i has; it is not a derivative
/// of the loss, hence the hand-written backward.
class FactoredProduct : public torch::autograd::Function<FactoredProduct> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& u_active,
                          const Variable& /*v_active*/, const Variable& trained_sigma, const Variable& bias,
                          const Tensor& u, const Tensor& v, const Tensor& sigma,
                          const c10::intrusive_ptr<Factors>& factors) {
    const Tensor p = factors->x.times(v.t());  // [rows, k]
    const Tensor scaled = p * sigma;           // [rows, k]
    const bool has_bias = bias.numel() > 0;
    const Tensor y = has_bias ? torch::addmm(bias.to(u.scalar_type()), scaled, u) : scaled.mm(u);  // [rows, m]
    context->save_for_backward({p, u, v, sigma});
    context->saved_data["factors"] = c10::IValue::make_capsule(factors);
    context->saved_data["rank"] = u_active.size(0);
    context->saved_data["master"] = static_cast<int64_t>(u_active.scalar_type());
    context->saved_data["needs_x"] = x.numel() > 0 && x.requires_grad();
    context->saved_data["needs_bias"] = has_bias && bias.requires_grad();
    context->saved_data["needs_sigma"] = trained_sigma.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &p = saved[0], &u = saved[1], &v = saved[2], &sigma = saved[3];
    const auto factors = c10::static_intrusive_pointer_cast<Factors>(context->saved_data["factors"].toCapsule());
    const int64_t rank = context->saved_data["rank"].toInt();
    const auto master = static_cast<torch::ScalarType>(context->saved_data["master"].toInt());
    const Tensor dy = gradients[0].contiguous();

    const Tensor t = dy.mm(u.t());           // [rows, k]
    Tensor p_active = p.narrow(1, 0, rank);  // [rows, r]
    Tensor t_active = t.narrow(1, 0, rank);  // [rows, r]
    Tensor dsigma;
    if (context->saved_data["needs_sigma"].toBool())
      dsigma =
          factors->train_all_sigma ? (p * t).sum({0}, false, master) : (p_active * t_active).sum({0}, false, master);
    if (!factors->enhanced) {
      p_active = p_active * sigma.narrow(0, 0, rank);
      t_active = t_active * sigma.narrow(0, 0, rank);
    }
    const Tensor du = p_active.t().mm(dy).to(master);                                          // [r, m]
    const Tensor dv = factors->x.transposed_times(t_active).t().to(master);                    // [r, n]
    const Tensor dx = context->saved_data["needs_x"].toBool() ? (t * sigma).mm(v) : Tensor();  // [rows, n]
    const Tensor dbias = context->saved_data["needs_bias"].toBool() ? dy.sum({0}, false, master) : Tensor();
    return {dx, du, dv, dsigma, dbias, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

/// Rows scaled to length 1; a zero row stays.
void normalise_rows_(Tensor rows) { rows.div_(rows.norm(2, {1}, /*keepdim=*/true).clamp_min_(1e-30)); }

}  // namespace

SpectralLinear::SpectralLinear(const nn::LinearSpec& spec, const Options& options)
    : LinearMap(spec), options_(options) {
  const Tensor& weight = spec.initial_weight;
  const int64_t k = std::min(spec.in, spec.out), r = std::min(options.rank, k);
  const auto like = weight.options().requires_grad(false);
  if (options.random_factors) base_ = register_parameter("weight", torch::zeros_like(weight), false);
  u_ = register_parameter("u", torch::zeros({k, spec.out}, like), false);
  v_ = register_parameter("v", torch::zeros({k, spec.in}, like), false);
  sigma_ = register_parameter("sigma", torch::zeros({k}, like), options.train_all_sigma);
  order_ = register_buffer("order", torch::arange(k, like.dtype(torch::kInt64)));
  u_active_ = u_.narrow(0, 0, r).detach().requires_grad_();
  v_active_ = v_.narrow(0, 0, r).detach().requires_grad_();
  if (!options.train_all_sigma) sigma_active_ = sigma_.narrow(0, 0, r).detach().requires_grad_();
  set_dense_weight(weight);
}

std::vector<nn::NamedTensor> SpectralLinear::active_views() const {
  std::vector<nn::NamedTensor> views = {{"u_active", u_active_}, {"v_active", v_active_}};
  if (!options_.train_all_sigma) views.push_back({"sigma_active", sigma_active_});
  return views;
}

std::vector<std::string> SpectralLinear::low_rank_names() const {
  return {"u_active", "v_active", options_.train_all_sigma ? "sigma" : "sigma_active"};
}

std::vector<std::string> SpectralLinear::decayed_names() const {
  // On U and V decay would only be undone by the normalisation; σ holds the magnitude (sst.md 6, row 7).
  return {options_.train_all_sigma ? "sigma" : "sigma_active"};
}

Tensor SpectralLinear::spectral_product() const {
  return (u_.detach() * sigma_.detach().unsqueeze(1)).t().mm(v_.detach());
}

Tensor SpectralLinear::dense_weight() const {
  const Tensor product = spectral_product();
  return base_.defined() ? base_.detach() + product : product;
}

void SpectralLinear::set_dense_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  if (base_.defined()) {
    base_.copy_(weight);
    return draw_random_factors(/*round=*/0);
  }
  const auto svd = tensor::thin_svd(weight);
  u_.copy_(svd.u.t());
  sigma_.copy_(svd.s);
  v_.copy_(svd.vt);
  order_.copy_(torch::arange(full_rank(), order_.options()));
}

void SpectralLinear::draw_random_factors(int64_t round) {
  const CounterRng rng(options_.seed, Stream::kMethod,
                       combine(name_index(spec().name + ".factors"), static_cast<uint64_t>(round)));
  const CounterRng other(options_.seed, Stream::kMethod,
                         combine(name_index(spec().name + ".factors.v"), static_cast<uint64_t>(round)));
  u_.copy_(tensor::normal(u_.sizes(), 0, 1, rng, u_.options()));
  v_.copy_(tensor::normal(v_.sizes(), 0, 1, other, v_.options()));
  normalise_rows_(u_.detach());
  normalise_rows_(v_.detach());
  sigma_.zero_();
  order_.copy_(torch::arange(full_rank(), order_.options()));
}

void SpectralLinear::decompose(int64_t round) {
  const torch::NoGradGuard no_grad;
  if (base_.defined()) {
    base_.add_(spectral_product());
    return draw_random_factors(round);
  }
  if (!options_.randomized_svd) return set_dense_weight(spectral_product());
  const CounterRng rng(options_.seed, Stream::kMethod,
                       combine(name_index(spec().name + ".svd"), static_cast<uint64_t>(round)));
  const auto svd = tensor::randomized_svd(spectral_product(), full_rank(), rng);
  u_.copy_(svd.u.t());
  sigma_.copy_(svd.s);
  v_.copy_(svd.vt);
  order_.copy_(torch::arange(full_rank(), order_.options()));
}

std::vector<Tensor> SpectralLinear::decomposed() const {
  std::vector<Tensor> tensors = {u_.detach(), v_.detach(), sigma_.detach(), order_};
  if (base_.defined()) tensors.push_back(base_.detach());
  return tensors;
}

void SpectralLinear::activate(const std::vector<int64_t>& chosen) {
  const std::unordered_set<int64_t> drawn(chosen.begin(), chosen.end());
  require(static_cast<int64_t>(drawn.size()) == rank(), "a draw has to name rank() distinct slots");
  std::vector<int64_t> slots(static_cast<size_t>(full_rank()));
  std::iota(slots.begin(), slots.end(), 0);
  int64_t out = 0;
  for (const int64_t in : chosen) {
    if (in < rank()) continue;           // drawn again: stays where it is
    while (drawn.count(out) > 0) ++out;  // the next active slot that was not drawn again
    std::swap(slots[static_cast<size_t>(in)], slots[static_cast<size_t>(out)]);
    ++out;
  }
  const torch::NoGradGuard no_grad;
  const Tensor permutation = torch::tensor(slots, torch::kInt64).to(u_.device());
  for (Tensor rows : {u_, v_, sigma_, order_}) rows.copy_(rows.index_select(0, permutation));
}

void SpectralLinear::constrain() {
  const torch::NoGradGuard no_grad;
  sigma_.clamp_min_(0);
  normalise_rows_(u_active_.detach());
  normalise_rows_(v_active_.detach());
}

Tensor SpectralLinear::apply(const tensor::Rows& input, const nn::Pass& pass) {
  const tensor::Rows x = nn::in_compute_type(input, pass);
  if (options_.execution == Execution::kMaterialised)
    return nn::affine(x, compute_materialised_.of(materialised(), pass), nn::in_compute_type(bias(), pass));
  const Tensor none = sigma_.detach().narrow(0, 0, 0);  // a custom function takes no undefined tensors
  const Tensor& trained_sigma = options_.train_all_sigma ? sigma_ : sigma_active_;
  Tensor y = FactoredProduct::apply(
      x.is_sparse() ? none : x.dense(), u_active_, v_active_, trained_sigma, bias().defined() ? bias() : none,
      compute_u_.of(u_.detach(), pass), compute_v_.of(v_.detach(), pass), nn::in_compute_type(sigma_.detach(), pass),
      c10::make_intrusive<Factors>(x, options_.enhanced_gradient, options_.train_all_sigma));
  if (base_.defined()) y = y + x.matmul(compute_base_.of(base_, pass).t());
  return y;
}

nn::RowFlops SpectralLinear::flops_per_row() const {
  if (options_.execution == Execution::kMaterialised) return LinearMap::flops_per_row();
  const auto sides = static_cast<double>(spec().in + spec().out);
  const double full = 2 * sides * static_cast<double>(full_rank()), active = 2 * sides * static_cast<double>(rank());
  const double frozen = base_.defined() ? 2.0 * static_cast<double>(base_.numel()) : 0;
  return {.forward = frozen + full, .backward = frozen + full + active};
}

const Tensor& SpectralLinear::materialised() {
  // Every in-place change of the factors raises a version, so W is rebuilt once per optimizer step and never stale.
  const int64_t version = static_cast<int64_t>(u_._version() + v_._version() + sigma_._version());
  if (materialised_version_ != version) {
    const torch::NoGradGuard no_grad;
    if (!materialised_.defined()) materialised_ = torch::empty_like(dense_weight()).requires_grad_();
    materialised_.copy_(dense_weight());
    materialised_version_ = version;
  }
  return materialised_;
}

void SpectralLinear::contract_gradient() {
  if (options_.execution != Execution::kMaterialised || !materialised_.defined()) return;
  const Tensor g = materialised_.grad();  // [m, n]
  if (!g.defined()) return;
  const torch::NoGradGuard no_grad;
  const int64_t r = rank();
  const Tensor h = v_.mm(g.t());  // [k, m], row i is G v_i
  const Tensor dsigma = (u_ * h).sum(1);
  Tensor du = h.narrow(0, 0, r);
  Tensor dv = u_active_.mm(g);
  if (!options_.enhanced_gradient) {
    const Tensor active_sigma = sigma_.narrow(0, 0, r).unsqueeze(1);
    du = du * active_sigma;
    dv = dv * active_sigma;
  }
  u_active_.mutable_grad() = du.clone();
  v_active_.mutable_grad() = dv;
  (options_.train_all_sigma ? sigma_ : sigma_active_).mutable_grad() =
      options_.train_all_sigma ? dsigma : dsigma.narrow(0, 0, r).clone();
  materialised_.mutable_grad() = Tensor();
}

SpectralLinear::Execution cheaper_execution(int64_t rows, int64_t in, int64_t out, int64_t rank) {
  const double b = static_cast<double>(rows), n = static_cast<double>(in), m = static_cast<double>(out);
  const double k = std::min(m, n), r = std::min(static_cast<double>(rank), k);
  const double factored = 4 * b * k * (m + n) + 2 * b * r * (m + n);
  const double materialised = 6 * b * m * n + 4 * m * n * k + 2 * m * n * r;
  return factored <= materialised ? SpectralLinear::Execution::kFactored : SpectralLinear::Execution::kMaterialised;
}

}  // namespace sst::methods
