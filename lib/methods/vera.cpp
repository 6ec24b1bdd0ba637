#include "methods/vera.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/random.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;

class VeraLinear final : public nn::LinearMap {
 public:
  VeraLinear(const nn::LinearSpec& spec, int64_t rank, double d_initial, std::shared_ptr<SharedMatrices> shared)
      : LinearMap(spec),
        shared_(std::move(shared)),
        base_(register_parameter("weight", spec.initial_weight.detach().clone(), /*requires_grad=*/false)),
        d_(register_parameter("vera_d", torch::full({rank}, d_initial, base_.options()))),
        b_(register_parameter("vera_b", torch::zeros({spec.out}, base_.options()))) {}

  Tensor dense_weight() const override {
    const Tensor b = shared_->b(spec().out) * d_.detach();  // [out, r]
    return base_.detach() + b_.detach().unsqueeze(1) * b.mm(shared_->a(spec().in));
  }
  void set_dense_weight(const Tensor& weight) override {
    const torch::NoGradGuard no_grad;
    base_.copy_(weight);
    b_.zero_();
  }
  nn::RowFlops flops_per_row() const override {  // no matrix has a gradient
    const double rank = static_cast<double>(d_.numel()), sides = static_cast<double>(spec().in + spec().out);
    const double product = 2.0 * static_cast<double>(base_.numel()) + 2 * rank * sides;
    return {.forward = product, .backward = product};
  }
  std::vector<std::string> low_rank_names() const override { return {"vera_d", "vera_b"}; }
  std::vector<std::string> decayed_names() const override { return {"vera_d", "vera_b"}; }

 protected:
  Tensor apply(const tensor::Rows& input, const nn::Pass& pass) override {
    const tensor::Rows x = nn::in_compute_type(input, pass);
    const Tensor y = nn::affine(x, compute_base_.of(base_, pass), nn::in_compute_type(bias(), pass));
    const Tensor inner = x.matmul(shared_->a(spec().in, pass).t()) * nn::in_compute_type(d_, pass);  // [rows, r]
    return y + inner.mm(shared_->b(spec().out, pass).t()) * nn::in_compute_type(b_, pass);           // [rows, out]
  }

 private:
  std::shared_ptr<SharedMatrices> shared_;
  Tensor base_, d_, b_;
  nn::ComputeCopy compute_base_;
};

}  // namespace

void SharedMatrices::cover(int64_t out, int64_t in, const torch::TensorOptions& options) {
  largest_out_ = std::max(largest_out_, out);
  largest_in_ = std::max(largest_in_, in);
  options_ = options;
  a_ = b_ = Tensor();
}

void SharedMatrices::draw() {
  if (a_.defined()) return;
  const double a_bound = 1 / std::sqrt(static_cast<double>(largest_in_));
  const double b_bound = 1 / std::sqrt(static_cast<double>(rank_));
  a_ = tensor::uniform({rank_, largest_in_}, -a_bound, a_bound,
                       CounterRng(seed_, Stream::kMethod, name_index("vera.a")), options_);
  b_ = tensor::uniform({largest_out_, rank_}, -b_bound, b_bound,
                       CounterRng(seed_, Stream::kMethod, name_index("vera.b")), options_);
}

Tensor SharedMatrices::a(int64_t in, const nn::Pass& pass) {
  draw();
  return compute_a_.of(a_, pass).narrow(1, 0, in);
}

Tensor SharedMatrices::b(int64_t out, const nn::Pass& pass) {
  draw();
  return compute_b_.of(b_, pass).narrow(0, 0, out);
}

std::shared_ptr<nn::LinearMap> Vera::make_target(const nn::LinearSpec& spec) {
  const int64_t rank = shared_->rank();
  shared_->cover(spec.out, spec.in, spec.initial_weight.options().requires_grad(false));
  return std::make_shared<VeraLinear>(spec, rank, d_initial_, shared_);
}

}  // namespace sst::methods
