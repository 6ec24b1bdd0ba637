#include "methods/galore.hpp"

#include "core/error.hpp"
#include "optim/adam.hpp"
#include "optim/sgd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;
using torch::Tensor;
using Side = GradientSubspace::Side;

constexpr double kExact = 1e-12;

GaloreOptions galore_options(int64_t rank, int64_t gap = 1000) {
  GaloreOptions options;
  options.rank = rank;
  options.update_proj_gap = recipe::Interval::steps(gap);
  return options;
}

/// One dense map whose gradient the test sets.
struct GaloreRun {
  Galore method;
  std::shared_ptr<nn::LinearMap> layer;
  optim::Optimizer optimizer;
  Tensor weight;

  GaloreRun(const GaloreOptions& options, const nn::LinearSpec& spec, std::unique_ptr<optim::UpdateRule> rule,
            double decay = 0)
      : method(options, {.seed = 3}), layer(method.make_linear(spec)), optimizer(std::move(rule), decay) {
    weight = layer->named_parameters()["weight"];
    optimizer.add({.name = "layer.weight", .tensor = weight, .decay = decay > 0});
    method.attach(optimizer);
  }
  void step(const Tensor& gradient, double lr = 0.1) {
    weight.mutable_grad() = gradient;
    optimizer.step({.base = lr, .low_rank = lr});
    method.after_step(0, optimizer);
  }
};

std::unique_ptr<optim::UpdateRule> plain_adam(double eps = 1e-8, bool decoupled = true) {
  return std::make_unique<optim::Adam>(optim::AdamOptions{.eps = eps, .decoupled_decay = decoupled});
}
std::unique_ptr<optim::UpdateRule> plain_descent() {
  return std::make_unique<optim::Sgd>(optim::SgdOptions{.momentum = 0});
}

}  // namespace

TEST_CASE("std projects the shorter side, the square case from the right, and reverse_std the other",
          "[methods][galore]") {
  CHECK(projected_side("std", 3, 2) == Side::kRight);
  CHECK(projected_side("std", 2, 2) == Side::kRight);
  CHECK(projected_side("std", 2, 3) == Side::kLeft);
  CHECK(projected_side("reverse_std", 3, 2) == Side::kLeft);
  CHECK(projected_side("reverse_std", 2, 2) == Side::kLeft);
  CHECK(projected_side("reverse_std", 2, 3) == Side::kRight);
  CHECK(projected_side("left", 3, 2) == Side::kLeft);
  CHECK(projected_side("right", 2, 3) == Side::kRight);
  CHECK(projected_side("full", 2, 3) == Side::kBoth);
}

TEST_CASE("bases are orthonormal, shapes follow the side, and full rank loses nothing", "[methods][galore]") {
  const auto [rows, cols] = GENERATE(std::pair{5, 3}, std::pair{3, 5}, std::pair{4, 4});
  const std::string type = GENERATE("std", "reverse_std", "left", "right", "full");
  CAPTURE(rows, cols, type);
  const Side side = projected_side(type, rows, cols);
  const Tensor gradient = gaussian({rows, cols}, 5);
  for (const int64_t rank : {2, 3}) {
    GradientSubspace subspace(side, rank, rows, cols, gradient.options());
    const double residual = subspace.refresh(gradient);
    const Tensor seen = subspace.project(gradient), back = subspace.lift(seen);
    CHECK(seen.sizes() == at::IntArrayRef(subspace.projected_shape()));
    CHECK(seen.size(0) == (side == Side::kRight ? rows : rank));
    CHECK(seen.size(1) == (side == Side::kLeft ? cols : rank));
    CHECK(back.sizes() == gradient.sizes());
    for (const Tensor& basis : {subspace.left(), subspace.right()})
      if (basis.defined()) CHECK(tensor::orthogonality_error(basis) < kExact);
    CHECK(std::abs(residual - ((gradient - back).norm() / gradient.norm()).item<double>()) < 1e-7);
    if (rank == std::min(rows, cols)) CHECK(distance(back, gradient) < kExact);
  }
}

TEST_CASE("on a 2 x 3 gradient GaLore does what the paper says by hand", "[methods][galore]") {
  // G = diag(3, 1) padded: P = e₁ up to its sign, R = ±(3, 0, 0), Adam's first direction is the sign of R, so only
  // W₀₀ moves, by −lr · scale; ε = 1 makes it 3 / (3 + ε) when ε meets the corrected root, as in the paper, and
  // 3 / (3 + ε / √(1 − β₂)) when it meets the raw one, as in the code.
  const std::string mode = GENERATE("paper", "code");
  auto spec = spec_of(2, 3);
  spec.initial_weight = torch::zeros({2, 3}, torch::kFloat64);
  auto options = galore_options(1);
  options.scale = 0.25;
  options.eps_mode = mode;
  GaloreRun run(options, spec, plain_adam(/*eps=*/1));
  run.step(torch::tensor({{3.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}, torch::kFloat64));
  const double direction = mode == "paper" ? 3 / (3 + 1.0) : 3 / (3 + 1 / std::sqrt(1 - 0.999));
  Tensor expected = torch::zeros({2, 3}, torch::kFloat64);
  expected[0][0] = -0.1 * 0.25 * direction;
  CHECK(distance(run.weight.detach(), expected) < kExact);
  CHECK(run.optimizer.state_dict().at("exp_avg/layer.weight").sizes() == at::IntArrayRef({1, 3}));
}

TEST_CASE("with an identity in place of the basis, full rank is Adam", "[methods][galore]") {
  const Tensor start = gaussian({4, 6}, 3);
  Tensor seen = start.clone().requires_grad_(), plain = start.clone().requires_grad_();
  optim::Optimizer viewed(plain_adam(), 0.1), ordinary(plain_adam(), 0.1);
  viewed.add({.name = "w", .tensor = seen, .decay = true});
  ordinary.add({.name = "w", .tensor = plain, .decay = true});
  const auto same = [](const Tensor& x) { return x; };
  viewed.set_view("w", {.shape = {4, 6}, .project = same, .lift = same});
  for (uint64_t t = 0; t < 20; ++t) {
    seen.mutable_grad() = gaussian({4, 6}, 60 + t);
    plain.mutable_grad() = seen.grad().clone();
    viewed.step({.base = 0.05});
    ordinary.step({.base = 0.05});
  }
  CHECK(distance(seen.detach(), plain.detach()) < kExact);
}

TEST_CASE("full rank and plain descent follow the original trajectory", "[methods][galore]") {
  const auto spec = spec_of(3, 5);
  GaloreRun run(galore_options(3, 2), spec, plain_descent());
  Tensor expected = spec.initial_weight.clone();
  for (uint64_t t = 0; t < 6; ++t) {
    const Tensor gradient = gaussian({3, 5}, 60 + t);
    run.step(gradient);
    expected.sub_(gradient, 0.1);
  }
  CHECK(distance(run.weight.detach(), expected) < kExact);
}

TEST_CASE("within a period the update has rank r, over k periods k r", "[methods][galore]") {
  const auto spec = spec_of(6, 8);
  GaloreRun run(galore_options(2, 4), spec, plain_adam());
  const auto rank_learnt = [&] {
    return torch::linalg_matrix_rank(run.weight.detach() - spec.initial_weight, 1e-9).item<int64_t>();
  };
  for (uint64_t t = 0; t < 8; ++t) {
    run.step(gaussian({6, 8}, 60 + t));
    CHECK(rank_learnt() == (t < 4 ? 2 : 4));
  }
}

TEST_CASE("moments and their count outlive a change of the subspace, and are the only state besides the basis",
          "[methods][galore]") {
  GaloreRun run(galore_options(2, 2), spec_of(6, 8), plain_adam());
  run.step(gaussian({6, 8}, 60));
  run.step(gaussian({6, 8}, 61));
  const Tensor basis = run.method.state_dict().at("layer.left").clone();
  const Tensor before = run.optimizer.state_dict().at("exp_avg/layer.weight").clone();
  const Tensor next = gaussian({6, 8}, 62);
  run.step(next);
  const Tensor fresh = run.method.state_dict().at("layer.left");
  CHECK(distance(fresh, basis) > 0.01);
  const Tensor expected = before * 0.9 + fresh.t().mm(next) * 0.1;
  CHECK(distance(run.optimizer.state_dict().at("exp_avg/layer.weight"), expected) < kExact);
  CHECK(run.optimizer.state_dict().at("step/layer.weight").item<int64_t>() == 3);
  // A matrix [m, n] with m <= n: m r + 2 n r numbers (paper, Table 1).
  CHECK(run.optimizer.moment_bytes() == 2 * 8 * 2 * 8);
  CHECK(fresh.numel() == 6 * 2);
}

TEST_CASE("the scale acts on the step and not on the decay", "[methods][galore]") {
  auto options = galore_options(2);
  options.scale = 0.5;
  const auto spec = spec_of(3, 5);
  GaloreRun run(options, spec, plain_adam(), /*decay=*/0.2);
  run.step(torch::zeros({3, 5}, torch::kFloat64));
  CHECK(distance(run.weight.detach(), spec.initial_weight * (1 - 0.1 * 0.2)) < kExact);
}

TEST_CASE("on a constant gradient of rank r GaLore with descent is descent", "[methods][galore]") {
  const auto spec = spec_of(5, 7);
  GaloreRun run(galore_options(2), spec, plain_descent());
  const Tensor gradient = gaussian({5, 2}, 8).mm(gaussian({2, 7}, 9));
  for (int t = 0; t < 5; ++t) run.step(gradient);
  CHECK(distance(run.weight.detach(), spec.initial_weight - gradient * 0.5) < kExact);
}

TEST_CASE("the randomized decomposition finds the subspace of a gradient of low rank", "[methods][galore]") {
  const Tensor gradient = gaussian({5, 2}, 8).mm(gaussian({2, 7}, 9));
  GradientSubspace subspace(Side::kLeft, 2, 5, 7, gradient.options());
  const CounterRng rng(1, Stream::kMethod, 2);
  CHECK(subspace.refresh(gradient, &rng) < 1e-6);
  CHECK(distance(subspace.lift(subspace.project(gradient)), gradient) < kExact);
}

TEST_CASE("a state of another rank is refused by the name of its tensor", "[methods][galore]") {
  GaloreRun run(galore_options(2), spec_of(5, 7), plain_adam()), other(galore_options(3), spec_of(5, 7), plain_adam());
  CHECK_THROWS_AS(run.method.load_state_dict(other.method.state_dict()), CheckpointError);
}

}  // namespace sst::methods
