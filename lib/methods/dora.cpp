#include "methods/dora.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;

Tensor norms_of_rows(const Tensor& matrix) { return torch::linalg_vector_norm(matrix.detach(), 2, {1}); }

/// A row without length (a unit that starts switched off) has no direction: it stays zero instead of becoming NaN.
constexpr double kLeastNorm = 1e-20;

}  // namespace

DoraLinear::DoraLinear(const nn::LinearSpec& spec, const Options& options, const Tensor& initial_a)
    : AdapterLinear(spec, options, initial_a), magnitude_(register_parameter("magnitude", norms_of_rows(base()))) {}

const Tensor& DoraLinear::row_norms() const {
  const int64_t version = static_cast<int64_t>(base()._version() + a()._version() + b()._version());
  if (norms_version_ != version) {
    const torch::NoGradGuard no_grad;
    // ‖w + s b A‖² = ‖w‖² + 2 s b·(A w) + s² b·(A Aᵀ b) for each row: no m x n matrix is made.
    const Tensor twice_base = base().mm(a().t()) * 2;            // [out, rank]
    const Tensor update = b().mm(a().mm(a().t())) * scale();     // [out, rank]
    const Tensor change = (b() * (twice_base + update)).sum(1);  // [out]
    norms_ = (norms_of_rows(base()).square() + change * scale()).clamp_min_(0).sqrt_().clamp_min_(kLeastNorm);
    norms_version_ = version;
  }
  return norms_;
}

Tensor DoraLinear::apply(const tensor::Rows& x, const nn::Pass& pass) {
  const Tensor y = product(x, pass, {}) * nn::in_compute_type(magnitude_ / row_norms(), pass);  // [rows, out]
  return bias().defined() ? y + nn::in_compute_type(bias(), pass) : y;
}

Tensor DoraLinear::dense_weight() const {
  return AdapterLinear::dense_weight() * (magnitude_.detach() / row_norms()).unsqueeze(1);
}

void DoraLinear::set_dense_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  AdapterLinear::set_dense_weight(weight);
  magnitude_.copy_(norms_of_rows(base()));
}

std::shared_ptr<nn::LinearMap> Dora::make_target(const nn::LinearSpec& spec) {
  const auto adapter = options_.adapter(spec);
  return std::make_shared<DoraLinear>(
      spec, adapter, kaiming_uniform(spec, adapter.rank, spec.initial_weight, context().seed, /*draw=*/1));
}

}  // namespace sst::methods
