#include "methods/spectral_linear.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

// The identities of Sparse Spectral Training, in double precision (SST paper, sections 4.2 to 4.6 and appendices B to E).
namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;
using torch::Tensor;

constexpr double kRounding = 1e-10;

struct Shape {
  int64_t out, in;
};

SpectralLinear::Options options(int64_t rank, bool enhanced = true, bool materialised = false) {
  return {.rank = rank,
          .enhanced_gradient = enhanced,
          .execution = materialised ? SpectralLinear::Execution::kMaterialised : SpectralLinear::Execution::kFactored};
}

Shape any_shape() {
  const int which = GENERATE(0, 1, 2);
  return std::vector<Shape>{{4, 7}, {5, 5}, {7, 4}}[static_cast<size_t>(which)];
}

/// A layer whose active block is not the leading triplets and whose factors have drifted from orthogonality, and the
/// gradients that one backward of sum(R ∘ y) leaves.
struct Trained {
  SpectralLinear layer;
  Tensor x, r, g;  // input, output weights, dL/dW
  Trained(Shape shape, const SpectralLinear::Options& layer_options)
      : layer(spec_of(shape.out, shape.in), layer_options),
        x(gaussian({6, shape.in}, 2).requires_grad_()),
        r(gaussian({6, shape.out}, 3)) {
    layer.activate({3, 1});
    {
      const torch::NoGradGuard no_grad;
      layer.u_active().detach().add_(gaussian(layer.u_active().sizes(), 4), 0.1);
      layer.v_active().detach().add_(gaussian(layer.v_active().sizes(), 5), 0.1);
    }
    layer.constrain();
    (layer.forward(x) * r).sum().backward();
    layer.contract_gradient();
    g = r.t().mm(x.detach());
  }
};

}  // namespace

TEST_CASE("both executions give the gradients of the paper's table", "[methods][sst]") {
  const Shape shape = any_shape();
  const bool enhanced = GENERATE(true, false), materialised = GENERATE(true, false);
  CAPTURE(shape.out, shape.in, enhanced, materialised);
  Trained t(shape, options(2, enhanced, materialised));
  const Tensor u = t.layer.u().t(), v = t.layer.v().t(), sigma = t.layer.sigma().detach();  // columns are vectors
  const Tensor active = enhanced ? torch::ones({2}, torch::kFloat64) : sigma.narrow(0, 0, 2);

  CHECK(distance(t.layer.sigma().grad(), u.t().mm(t.g).mm(v).diagonal()) < kRounding);
  CHECK(distance(t.layer.u_active().grad(), (t.g.mm(v.narrow(1, 0, 2)) * active).t()) < kRounding);
  CHECK(distance(t.layer.v_active().grad(), (t.g.t().mm(u.narrow(1, 0, 2)) * active).t()) < kRounding);
  CHECK(distance(t.x.grad(), t.r.mm(t.layer.dense_weight())) < kRounding);
  CHECK(distance(t.layer.bias().grad(), t.r.sum(0)) < kRounding);
}

TEST_CASE("the default gradient is the derivative that autograd finds", "[methods][sst]") {
  const Shape shape = any_shape();
  Trained t(shape, options(2, /*enhanced=*/false));
  const Tensor u = t.layer.u().detach().clone().requires_grad_(), v = t.layer.v().detach().clone().requires_grad_();
  const Tensor sigma = t.layer.sigma().detach().clone().requires_grad_();
  const Tensor y = (t.x.detach().mm(v.t()) * sigma).mm(u);
  (y * t.r).sum().backward();
  CHECK(distance(t.layer.sigma().grad(), sigma.grad()) < kRounding);
  CHECK(distance(t.layer.u_active().grad(), u.grad().narrow(0, 0, 2)) < kRounding);
  CHECK(distance(t.layer.v_active().grad(), v.grad().narrow(0, 0, 2)) < kRounding);
}

TEST_CASE("enhanced times sigma is default, vector by vector", "[methods][sst]") {
  const Shape shape = any_shape();
  Trained enhanced(shape, options(2, true)), standard(shape, options(2, false));
  const Tensor sigma = enhanced.layer.sigma().detach().narrow(0, 0, 2).unsqueeze(1);
  CHECK(distance(enhanced.layer.u_active().grad() * sigma, standard.layer.u_active().grad()) < kRounding);
  CHECK(distance(enhanced.layer.v_active().grad() * sigma, standard.layer.v_active().grad()) < kRounding);
}

TEST_CASE("central differences confirm the gradient of sigma", "[methods][sst]") {
  const Shape shape = any_shape();
  Trained t(shape, options(2));
  constexpr double kStep = 1e-6;
  const torch::NoGradGuard no_grad;
  for (int64_t i = 0; i < t.layer.full_rank(); ++i) {
    const auto loss_at = [&](double shift) {
      t.layer.sigma().detach()[i] += shift;
      const double loss = (t.layer.forward(t.x.detach()) * t.r).sum().item<double>();
      t.layer.sigma().detach()[i] -= shift;
      return loss;
    };
    const double difference = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    CHECK(t.layer.sigma().grad()[i].item<double>() == Approx(difference).margin(1e-7));
  }
}

TEST_CASE("in singular coordinates the gradient of the triplets is its diagonal, and the norm is preserved",
          "[methods][sst]") {
  // (C) G = Σ_ij (u_iᵀ G v_j) u_i v_jᵀ for orthonormal square factors.
  const SpectralLinear layer(spec_of(5, 5), options(2));
  const Tensor g = gaussian({5, 5}, 8), u = layer.u().t(), v = layer.v().t();
  const Tensor coordinates = u.t().mm(g).mm(v);
  CHECK(distance(u.mm(coordinates).mm(v.t()), g) < kRounding);
  CHECK(coordinates.square().sum().item<double>() == Approx(g.square().sum().item<double>()));
}

namespace {

/// The first-order move of W when all k triplets follow their gradients with rate η, without normalisation.
Tensor first_order_move(const SpectralLinear& layer, const Tensor& g, int power) {
  const Tensor u = layer.u().t(), v = layer.v().t(), sigma = layer.sigma().detach().pow(power);
  const Tensor diagonal = u.t().mm(g).mm(v).diagonal();
  return -((g.mm(v) * sigma).mm(v.t()) + (u * diagonal).mm(v.t()) + (u * sigma).mm(u.t()).mm(g));
}

}  // namespace

TEST_CASE("a small step of all factors moves W as the first-order formula says", "[methods][sst]") {
  const Shape shape = any_shape();
  const bool enhanced = GENERATE(true, false);
  const int64_t k = std::min(shape.out, shape.in);
  SpectralLinear layer(spec_of(shape.out, shape.in), options(k, enhanced));
  const Tensor x = gaussian({6, shape.in}, 2), r = gaussian({6, shape.out}, 3), g = r.t().mm(x);
  const Tensor before = layer.dense_weight(), expected = first_order_move(layer, g, enhanced ? 1 : 2);
  (layer.forward(x) * r).sum().backward();
  constexpr double kRate = 1e-6;
  {
    const torch::NoGradGuard no_grad;
    layer.u_active().detach().sub_(layer.u_active().grad(), kRate);
    layer.v_active().detach().sub_(layer.v_active().grad(), kRate);
    layer.sigma().detach().sub_(layer.sigma().grad(), kRate);
  }
  CHECK(distance((layer.dense_weight() - before) / kRate, expected) < 1e-4);
}

TEST_CASE("with normalisation the coefficient of u_iᵀGv_j is σ_i + σ_j off the diagonal and 1 on it",
          "[methods][sst]") {
  SpectralLinear layer(spec_of(5, 5), options(5));
  const Tensor x = gaussian({6, 5}, 2), r = gaussian({6, 5}, 3), g = r.t().mm(x);
  const Tensor u = layer.u().t().clone(), v = layer.v().t().clone(), sigma = layer.sigma().detach().clone();
  const Tensor before = layer.dense_weight();
  (layer.forward(x) * r).sum().backward();
  constexpr double kRate = 1e-6;
  {
    const torch::NoGradGuard no_grad;
    layer.u_active().detach().sub_(layer.u_active().grad(), kRate);
    layer.v_active().detach().sub_(layer.v_active().grad(), kRate);
    layer.sigma().detach().sub_(layer.sigma().grad(), kRate);
  }
  layer.constrain();
  const Tensor moved = u.t().mm((layer.dense_weight() - before) / -kRate).mm(v), coordinates = u.t().mm(g).mm(v);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      const double coefficient = i == j ? 1 : (sigma[i] + sigma[j]).item<double>();
      CHECK(moved[i][j].item<double>() == Approx(coefficient * coordinates[i][j].item<double>()).margin(1e-3));
    }
  }
}

TEST_CASE("the enhanced gradient is nearer to three times the full-rank update while no sigma exceeds 1",
          "[methods][sst]") {
  const Shape shape = any_shape();
  const int64_t key = GENERATE(range(1, 6));
  auto spec = spec_of(shape.out, shape.in, static_cast<uint64_t>(key));
  const double largest = torch::linalg_svdvals(spec.initial_weight).max().item<double>();
  spec.initial_weight = spec.initial_weight / largest;
  const SpectralLinear layer(spec, options(2));
  const Tensor g = gaussian({shape.out, shape.in}, 100 + static_cast<uint64_t>(key));
  const double enhanced = (first_order_move(layer, g, 1) + 3 * g).norm().item<double>();
  const double standard = (first_order_move(layer, g, 2) + 3 * g).norm().item<double>();
  CHECK(enhanced < standard);
}

TEST_CASE("counter-example: with every sigma at √1.5 the default gradient is the nearer one", "[methods][sst]") {
  // Off the diagonal the default coefficients are then exactly 3; the condition σ ≤ 1 of the theorem matters.
  auto spec = spec_of(5, 5);
  const auto svd = tensor::thin_svd(spec.initial_weight);
  spec.initial_weight = std::sqrt(1.5) * svd.u.mm(svd.vt);
  const SpectralLinear layer(spec, options(2));
  const Tensor g = gaussian({5, 5}, 9);
  CHECK((first_order_move(layer, g, 2) + 3 * g).norm().item<double>() <
        (first_order_move(layer, g, 1) + 3 * g).norm().item<double>());
}

TEST_CASE("initialisation, swap and re-decomposition leave W unchanged", "[methods][sst]") {
  const Shape shape = any_shape();
  const bool randomized = GENERATE(true, false);
  const auto spec = spec_of(shape.out, shape.in);
  auto layer_options = options(2);
  layer_options.randomized_svd = randomized;
  SpectralLinear layer(spec, layer_options);
  CHECK(distance(layer.dense_weight(), spec.initial_weight) < 1e-13);
  layer.activate({2, 3});
  CHECK(distance(layer.dense_weight(), spec.initial_weight) < 1e-13);
  CHECK(layer.order()[0].item<int64_t>() + layer.order()[1].item<int64_t>() == 5);
  layer.activate({1, 0});
  layer.decompose(1);
  CHECK(distance(layer.dense_weight(), spec.initial_weight) < 1e-13);
  CHECK((layer.sigma().detach().diff() <= 0).all().item<bool>());
}

TEST_CASE("with orthonormal factors a singular value answers only to itself", "[methods][sst]") {
  // (E) ∂(u_iᵀ W v_i)/∂σ_j = (u_iᵀ u_j)(v_jᵀ v_i), the identity matrix when the factors are orthonormal.
  const SpectralLinear layer(spec_of(4, 7), options(2));
  const Tensor response = layer.u().mm(layer.u().t()) * layer.v().mm(layer.v().t());
  CHECK(distance(response, torch::eye(4, torch::kFloat64)) < kRounding);
  const Tensor left = gaussian({4, 4}, 20), right = gaussian({4, 7}, 21);
  const Tensor a = left / left.norm(2, {1}, true), b = right / right.norm(2, {1}, true);
  CHECK(distance(a.mm(a.t()) * b.mm(b.t()), torch::eye(4, torch::kFloat64)) > 0.01);
}

TEST_CASE("after an update active vectors have length 1, frozen ones keep their bits, no sigma is negative",
          "[methods][sst]") {
  const Shape shape = any_shape();
  Trained t(shape, options(2));
  const int64_t frozen = t.layer.full_rank() - 2;
  const Tensor u = t.layer.u().narrow(0, 2, frozen).clone(), v = t.layer.v().narrow(0, 2, frozen).clone();
  {
    const torch::NoGradGuard no_grad;
    t.layer.u_active().detach().sub_(t.layer.u_active().grad(), 0.1);
    t.layer.v_active().detach().sub_(t.layer.v_active().grad(), 0.1);
    t.layer.sigma().detach().sub_(t.layer.sigma().grad(), 10.0);
  }
  t.layer.constrain();
  CHECK(distance(t.layer.u_active().detach().norm(2, {1}), torch::ones({2}, torch::kFloat64)) < 1e-14);
  CHECK(distance(t.layer.v_active().detach().norm(2, {1}), torch::ones({2}, torch::kFloat64)) < 1e-14);
  CHECK(torch::equal(t.layer.u().narrow(0, 2, frozen), u));
  CHECK(torch::equal(t.layer.v().narrow(0, 2, frozen), v));
  CHECK(t.layer.sigma().min().item<double>() == 0);
}

TEST_CASE("a singular value at zero comes back where its gradient is negative and stays where it is positive",
          "[methods][sst]") {
  Trained t({5, 5}, options(2));
  const Tensor gradient = t.layer.sigma().grad();
  {
    const torch::NoGradGuard no_grad;
    t.layer.sigma().detach().zero_().sub_(gradient, 0.1);
  }
  t.layer.constrain();
  CHECK(torch::equal(t.layer.sigma().detach() > 0, gradient < 0));
}

TEST_CASE("orthogonality is lost within a round and restored by its end", "[methods][sst]") {
  Trained t({4, 7}, options(2));
  CHECK(tensor::orthogonality_error(t.layer.u().t()) > 1e-3);
  t.layer.decompose(1);
  CHECK(tensor::orthogonality_error(t.layer.u().t()) < 1e-13);
  CHECK(tensor::orthogonality_error(t.layer.v().t()) < 1e-13);
}

TEST_CASE("factored and materialised execution agree", "[methods][sst]") {
  const Shape shape = any_shape();
  const bool enhanced = GENERATE(true, false);
  Trained factored(shape, options(2, enhanced, false)), materialised(shape, options(2, enhanced, true));
  CHECK(distance(factored.layer.forward(factored.x).detach(), materialised.layer.forward(materialised.x).detach()) <
        kRounding);
  CHECK(distance(factored.layer.u_active().grad(), materialised.layer.u_active().grad()) < kRounding);
  CHECK(distance(factored.layer.v_active().grad(), materialised.layer.v_active().grad()) < kRounding);
  CHECK(distance(factored.layer.sigma().grad(), materialised.layer.sigma().grad()) < kRounding);
  CHECK(distance(factored.x.grad(), materialised.x.grad()) < kRounding);
}

TEST_CASE("the materialised matrix follows every change of the factors", "[methods][sst]") {
  SpectralLinear layer(spec_of(4, 7), options(2, true, true));
  const Tensor x = gaussian({3, 7}, 2);
  layer.forward(x);
  {
    const torch::NoGradGuard no_grad;
    layer.sigma().detach().mul_(2);
  }
  CHECK(distance(layer.forward(x).detach(), x.mm(layer.dense_weight().t()) + layer.bias().detach()) < kRounding);
}

TEST_CASE("sparse input rows train the layer as their dense copy does", "[methods][sst]") {
  SpectralLinear sparse_layer(spec_of(4, 4), options(2)), dense_layer(spec_of(4, 4), options(2));
  const Tensor indptr = torch::tensor({0, 2, 2, 3}, torch::kInt64), indices = torch::tensor({0, 2, 1}, torch::kInt64);
  auto csr = std::make_shared<const tensor::CsrMatrix>(
      tensor::make_csr(3, 3, indptr, indices, torch::tensor({0.5, -1.0, 2.0}, torch::kFloat64)));
  const tensor::Rows rows(torch::tensor({1.0, 1.5, 2.0}, torch::kFloat64), csr);
  const Tensor r = gaussian({3, 4}, 3);
  const Tensor y_sparse = sparse_layer.forward(rows), y_dense = dense_layer.forward(rows.to_dense());
  CHECK(distance(y_sparse.detach(), y_dense.detach()) < kRounding);
  (y_sparse * r).sum().backward();
  (y_dense * r).sum().backward();
  CHECK(distance(sparse_layer.u_active().grad(), dense_layer.u_active().grad()) < kRounding);
  CHECK(distance(sparse_layer.v_active().grad(), dense_layer.v_active().grad()) < kRounding);
  CHECK(distance(sparse_layer.sigma().grad(), dense_layer.sigma().grad()) < kRounding);
}

TEST_CASE("training only the sampled sigma leaves the others without gradient", "[methods][sst]") {
  auto layer_options = options(2);
  layer_options.train_all_sigma = false;
  SpectralLinear layer(spec_of(4, 7), layer_options);
  (layer.forward(gaussian({3, 7}, 2)) * gaussian({3, 4}, 3)).sum().backward();
  CHECK_FALSE(layer.sigma().grad().defined());
  const auto views = layer.active_views();
  REQUIRE(views.size() == 3);
  CHECK(views[2].tensor.grad().size(0) == 2);
}

TEST_CASE("random factors start at the frozen matrix and merge into it at a round's end", "[methods][sst]") {
  auto layer_options = options(2);
  layer_options.random_factors = true;
  const auto spec = spec_of(4, 7);
  SpectralLinear layer(spec, layer_options);
  CHECK(distance(layer.dense_weight(), spec.initial_weight) < kRounding);
  {
    const torch::NoGradGuard no_grad;
    layer.sigma().detach().fill_(0.5);
  }
  const Tensor trained = layer.dense_weight(), u = layer.u().clone();
  CHECK(distance(trained, spec.initial_weight) > 1e-3);
  layer.decompose(1);
  CHECK(distance(layer.dense_weight(), trained) < kRounding);
  CHECK(layer.sigma().abs().max().item<double>() == 0);
  CHECK(distance(layer.u(), u) > 1e-3);
}

TEST_CASE("the cheaper execution is dense-like for many rows of a square map and factored for an elongated one",
          "[methods][sst]") {
  using Execution = SpectralLinear::Execution;
  CHECK(cheaper_execution(2048, 768, 768, 64) == Execution::kMaterialised);
  CHECK(cheaper_execution(512, 768, 768, 64) == Execution::kFactored);
  CHECK(cheaper_execution(2048, 768, 3072, 64) == Execution::kFactored);
  CHECK(cheaper_execution(1 << 20, 768, 3072, 64) == Execution::kFactored);
}

}  // namespace sst::methods
