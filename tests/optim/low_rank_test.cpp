#include <algorithm>
#include <cmath>

#include "optim/low_rank_steps.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/matrix_problems.hpp"

namespace sst::optim {
namespace {

constexpr double kRounding = 1e-12;

/// Any fixed matrix without structure will do.
Tensor noise(at::IntArrayRef shape, int seed) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  const Tensor t = torch::arange(count, torch::kFloat64) * 78.233 + seed * 12.9898;
  return (t.sin() * 43758.5453).frac().mul(2).view(shape);
}

double gap(const Tensor& actual, const Tensor& expected) {
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

/// 0.5 Σ c (w − a)², c between 0.5 and 1.5: curved differently in every entry.
Gradient curved(int64_t m, int64_t n) {
  return [c = noise({m, n}, 3) * 0.25 + 1, a = noise({m, n}, 4)](const Tensor& w) { return c * (w - a); };
}

/// Hands out the matrices of T5's two hidden layers, and moves them by their gradients.
struct HiddenLayers {
  std::function<Tensor(int layer)> weight;
  std::function<void(const std::vector<Tensor>& gradients, double lr)> step;
};
constexpr int64_t kPoints = 4000, kInputs = 64, kHidden = 96, kClasses = 10;

Tensor logits_of(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& last) {
  return x.mm(first.t()).tanh().mm(second.t()).tanh().mm(last.t());
}

/// T5: a student of two tanh layers, both of rank 8, learns the labels that a network like it gives to 4,000 points; 1,000
/// steps of 100 at a cosine rate. The mean loss over all points in the end.
double student_loss(const HiddenLayers& layers, double lr) {
  const Tensor x = noise({kPoints, kInputs}, 1) * 0.9;
  const Tensor labels = logits_of(x, noise({kHidden, kInputs}, 2) * 0.2, noise({kHidden, kHidden}, 3) * 0.2,
                                  noise({kClasses, kHidden}, 4))
                            .argmax(1);
  Tensor last = (noise({kClasses, kHidden}, 5) * 0.1).requires_grad_(), velocity = torch::zeros_like(last);
  constexpr int64_t kSteps = 1000, kBatch = 100;
  for (int64_t step = 0; step < kSteps; ++step) {
    const double rate = lr * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / kSteps));
    const int64_t first = step * 7 % (kPoints / kBatch) * kBatch;
    const Tensor w1 = layers.weight(0), w2 = layers.weight(1);
    torch::cross_entropy_loss(logits_of(x.narrow(0, first, kBatch), w1, w2, last), labels.narrow(0, first, kBatch))
        .backward();
    layers.step({w1.grad(), w2.grad()}, rate);
    const torch::NoGradGuard no_grad;
    last.sub_(velocity.mul_(0.9).add_(last.grad()), rate);
    last.mutable_grad() = Tensor();
  }
  const torch::NoGradGuard no_grad;
  return torch::cross_entropy_loss(logits_of(x, layers.weight(0), layers.weight(1), last), labels).item<double>();
}

LowRankPoint student_start(int64_t inputs) {
  LowRankPoint start = start_of_rank(8, kHidden, inputs);
  start.s = start.s * 2;
  return start;
}

/// The largest distance from dense heavy ball that `rule`, at full rank, reaches on the way.
double gap_to_dense_heavy_ball(std::unique_ptr<UpdateRule> rule, int64_t m, int64_t n, int steps) {
  const auto gradient = curved(m, n);
  Run run(std::move(rule), start_of_rank(std::min(m, n), m, n));
  Tensor w = run.w(), momentum = torch::zeros_like(w);
  double worst = 0;
  for (int t = 0; t < steps; ++t) {
    momentum = momentum * 0.9 + gradient(w);
    w = w - momentum * 0.05;
    run.step(gradient, 0.05);
    worst = std::max(worst, gap(run.w(), w));
  }
  return worst;
}

}  // namespace

TEST_CASE("the projected gradient is a projection, and its coordinates have its length", "[optim][lowrank]") {
  const LowRankPoint at = start_of_rank(4, 12, 9);
  const auto project = [&](const Tensor& z) {
    const Tensor gk = z.mm(at.v);
    return project_gradient(at, gk, z.t().mm(at.u), at.u.t().mm(gk));
  };
  const Tensor g = noise({12, 9}, 1), other = noise({12, 9}, 2);
  const LowRankTangent t = project(g);
  const Tensor pg = dense(at, t);
  CHECK(gap(dense(at, project(pg)), pg) < kRounding);
  CHECK((pg * other).sum().item<double>() == Approx((g * dense(at, project(other))).sum().item<double>()));
  const double squares = (t.a.square().sum() + t.b.square().sum() + t.c.square().sum()).item<double>();
  CHECK(squares == Approx(pg.square().sum().item<double>()).epsilon(kRounding));
  const Tensor gk = g.mm(at.v), gl = g.t().mm(at.u);
  CHECK(squares == Approx((gk.square().sum() + gl.square().sum() - at.u.t().mm(gk).square().sum()).item<double>()));
}

TEST_CASE("augmentation loses nothing, and transport is the projection that follows the point", "[optim][lowrank]") {
  const auto [m, n] = GENERATE(std::pair{12, 9}, std::pair{9, 12}, std::pair{6, 5});  // also m < 2 r
  const LowRankPoint at = start_of_rank(4, m, n), to = {.u = dct2(m, 1, 4), .s = at.s, .v = dct2(n, 1, 4)};
  const auto project = [](const LowRankPoint& point, const Tensor& z) {
    const Tensor gk = z.mm(point.v);
    return project_gradient(point, gk, z.t().mm(point.u), point.u.t().mm(gk));
  };
  const LowRankTangent t = project(at, noise({m, n}, 1));
  const Tensor u2 = new_directions(at.u, t.b), v2 = new_directions(at.v, t.c);
  CHECK(u2.size(1) == std::min(4, m - 4));
  const Tensor hat = augmented_coordinates(t, u2, v2);
  const Tensor back = torch::cat({at.u, u2}, 1).mm(hat).mm(torch::cat({at.v, v2}, 1).t());
  CHECK(gap(back, dense(at, t)) < kRounding);

  const Tensor moved = dense(to, transported(t, at, to));
  CHECK(gap(moved, dense(to, project(to, dense(at, t)))) < kRounding);
  CHECK(moved.norm().item<double>() <= dense(at, t).norm().item<double>() * (1 + kRounding));
}

TEST_CASE("what truncation cuts from the matrix is the tail of its singular values", "[optim][lowrank]") {
  const LowRankPoint at{.u = dct4(12, 5), .s = noise({5, 5}, 1), .v = dct4(9, 5)};
  const Tensor sigma = torch::linalg_svdvals(at.s);
  const double theta = sigma.narrow(0, 3, 2).norm().item<double>() * 1.0001;
  const auto cut = truncate(at, 5, {.tolerance = theta, .relative = false, .rank_min = 1, .rank_max = 5});
  REQUIRE(cut.point.s.size(0) == 3);
  CHECK((dense(at) - dense(cut.point)).norm().item<double>() == Approx(sigma.narrow(0, 3, 2).norm().item<double>()));
  CHECK(truncate(at, 5, {.tolerance = 1e9, .relative = false, .rank_min = 2, .rank_max = 5}).point.s.size(0) == 2);
  CHECK(truncate(at, 5, {.tolerance = 1e-9, .rank_min = 2, .rank_max = 4}).point.s.size(0) == 4);
  CHECK(truncate(at, 5, {.tolerance = 1e9, .rank_min = 1, .rank_max = 5, .frozen = true}).point.s.size(0) == 5);
}

TEST_CASE("at full rank low-rank heavy ball is dense heavy ball", "[optim][lowrank]") {
  const auto [m, n] = GENERATE(std::pair{9, 9}, std::pair{12, 9}, std::pair{9, 12});
  CAPTURE(m, n);
  CHECK(gap_to_dense_heavy_ball(heavy_ball(), m, n, 300) < kRounding);
}

TEST_CASE("at full rank the Galerkin form is dense heavy ball where the matrix is square, and only there",
          "[optim][lowrank]") {
  CHECK(gap_to_dense_heavy_ball(galerkin(), 9, 9, 100) < kRounding);
  CHECK(gap_to_dense_heavy_ball(galerkin(), 12, 9, 100) >
        1e-6);  // its bases hold the columns of W alone: momentum leaves them
}

TEST_CASE("without momentum a step is the best rank-r approximation of W - lr P(W) G", "[optim][lowrank]") {
  const LowRankPoint start = start_of_rank(4, 12, 9);
  Run run(heavy_ball(0), start);
  const Tensor g = curved(12, 9)(dense(start)), gk = g.mm(start.v);
  const Tensor moved =
      dense(start) - dense(start, project_gradient(start, gk, g.t().mm(start.u), start.u.t().mm(gk))) * 0.3;
  run.step(curved(12, 9), 0.3);
  const auto [u, s, vt] = torch::linalg_svd(moved, false);
  CHECK(gap(run.w(), (u.narrow(1, 0, 4) * s.narrow(0, 0, 4)).mm(vt.narrow(0, 0, 4))) < kRounding);
}

TEST_CASE("a turn of the bases changes nothing for the rules that say so, and much for coeff", "[optim][lowrank]") {
  const LowRankPoint start = start_of_rank(4, 12, 9);
  const auto turn = [](int seed) { return std::get<0>(torch::linalg_qr(noise({4, 4}, seed))); };
  const Tensor q1 = turn(5), q2 = turn(6);
  const LowRankPoint turned{.u = start.u.mm(q1), .s = q1.t().mm(start.s).mm(q2), .v = start.v.mm(q2)};
  const auto difference = [&](const std::function<std::unique_ptr<UpdateRule>()>& make) {
    Run a(make(), start), b(make(), turned);
    a.steps(50, curved(12, 9), 0.02);
    b.steps(50, curved(12, 9), 0.02);
    return gap(a.w(), b.w());
  };
  constexpr double kInvariant = 1e-10;  // rounding over 50 steps
  CHECK(difference([] { return heavy_ball(); }) < kInvariant);
  CHECK(difference([] { return low_rank_adam(SecondMoment::kRow); }) < kInvariant);
  CHECK(difference([] { return low_rank_adam(SecondMoment::kScalar); }) < kInvariant);
  CHECK(difference([] { return low_rank_adam(SecondMoment::kCoefficient); }) > 1e-3);
}

TEST_CASE("with bases that never turn, coeff is Adam", "[optim][lowrank]") {
  const Tensor eye = torch::eye(6, torch::kFloat64);
  Run run(low_rank_adam(SecondMoment::kCoefficient, MomentTransport::kSqrt),
          {.u = eye, .s = noise({6, 6}, 1), .v = eye});
  const Adam adam(AdamOptions{});
  Tensor w = noise({6, 6}, 1);
  State state{.step = 0, .moments = adam.zero_moments(w, Geometry::kEuclidean)};
  const auto gradient = curved(6, 6);
  for (int t = 0; t < 30; ++t) {
    ++state.step;
    w = w * (1 - 0.05 * 0.1) - adam.direction(gradient(w), state) * 0.05;
    run.step(gradient, 0.05, 0.1);
  }
  CHECK(torch::equal(run.w(), w));
}

TEST_CASE("decay of S is decay of W", "[optim][lowrank]") {
  const auto still = [](const Tensor& w) { return torch::zeros_like(w); };
  for (auto make :
       {+[] { return heavy_ball(); }, +[] { return galerkin(); }, +[] { return low_rank_adam(SecondMoment::kRow); },
        +[] { return low_rank_adam(SecondMoment::kCoefficient); }}) {
    Run run(make(), start_of_rank(4, 12, 9));
    const Tensor before = run.w();
    run.step(still, 0.1, 0.5);
    CHECK(gap(run.w(), before * 0.95) < kRounding);
  }
}

TEST_CASE("bases do not drift from orthonormal over a thousand noisy steps", "[optim][lowrank]") {
  Run run(heavy_ball(), start_of_rank(4, 12, 9));
  int seed = 10;
  run.steps(
      1000,
      [&](const Tensor& w) {
        return w * 0.1 + noise({12, 9}, ++seed);
      },
      0.01);
  const Tensor eye = torch::eye(4, torch::kFloat64);
  CHECK((run.matrix.point().u.t().mm(run.matrix.point().u) - eye).abs().max().item<double>() < 1e-11);
  CHECK((run.matrix.point().v.t().mm(run.matrix.point().v) - eye).abs().max().item<double>() < 1e-11);
}

TEST_CASE("Galerkin without momentum reaches a matrix of its rank in one cycle", "[optim][lowrank]") {
  const Tensor target = target_with(kSigma);
  Run run(galerkin(0), start_of_rank(5), {}, /*inner_steps=*/2);
  run.steps(2, towards(target), 1);
  CHECK(gap(run.w(), target) < kRounding);
}

TEST_CASE("T1: the low-rank heavy ball follows the dense one to the smallest singular value", "[optim][lowrank]") {
  const Tensor target = target_with(kSigma);
  Run run(heavy_ball(), start_of_rank(5));
  CHECK(run.loss(target) == Approx(45.7712387083).epsilon(1e-11));
  run.steps(50, towards(target), 0.1);
  CHECK(run.loss(target) == Approx(2.04e-1).epsilon(0.005));
  const double at_100 = run.steps(50, towards(target), 0.1).loss(target);
  CHECK(at_100 == Approx(6.48e-4).epsilon(0.005));
  const double at_300 = run.steps(200, towards(target), 0.1).loss(target);
  CHECK(at_300 < 1e-11);
  CHECK(std::abs((std::log(at_300) - std::log(at_100)) / 200 - std::log(0.9)) < 0.005);
  CHECK(run.steps(700, towards(target), 0.1).loss(target) < 1e-20);
  CHECK(std::abs(torch::linalg_svdvals(run.w())[4].item<double>() - 0.01) < 1e-8);
}

TEST_CASE("T1: it bears a learning rate of one", "[optim][lowrank]") {
  Run run(heavy_ball(), start_of_rank(5));
  CHECK(run.steps(1000, towards(target_with(kSigma)), 1.0).loss(target_with(kSigma)) < 1e-20);
}

TEST_CASE("T1: heavy ball and Adam on the factors stall, diverge or are slow", "[optim][lowrank]") {
  const Sgd momentum(SgdOptions{.momentum = 0.9});
  const Adam adam(AdamOptions{});
  const Tensor target = target_with(kSigma);
  const auto end = [&](const UpdateRule& rule, const std::vector<Tensor>& factors, double lr) {
    return Factors(rule, factors).losses(1000, target, lr).back();
  };
  CHECK(end(momentum, three_factors(), 0.02) == Approx(2.3e-5).epsilon(0.05));
  CHECK_FALSE(end(momentum, three_factors(), 0.03) < 1);
  CHECK(end(adam, three_factors(), 0.05) == Approx(1.3e-5).epsilon(0.05));
  CHECK(end(momentum, two_factors(), 0.05) == Approx(3.9e-7).epsilon(0.05));
  CHECK(end(adam, two_factors(), 0.1) == Approx(7.4e-8).epsilon(0.05));
}

TEST_CASE("T1: Galerkin and the kinds of Adam end where the study found them", "[optim][lowrank]") {
  const Tensor target = target_with(kSigma);
  CHECK(Run(galerkin(), start_of_rank(5)).steps(1000, towards(target), 0.1).loss(target) < 1e-20);
  CHECK(Run(low_rank_adam(SecondMoment::kScalar), start_of_rank(5)).steps(300, towards(target), 0.05).loss(target) <
        1e-13);
  CHECK(Run(low_rank_adam(SecondMoment::kRow), start_of_rank(5)).steps(1000, towards(target), 0.02).loss(target) <
        1e-20);
  // Noise-free problems with a constant rate are the worst case of coeff.
  Run coeff(low_rank_adam(SecondMoment::kCoefficient, MomentTransport::kSqrt), start_of_rank(5), {}, 10);
  CHECK(coeff.steps(1000, towards(target), 0.02).loss(target) < 0.5);
  CHECK(coeff.loss(target) > 1e-4);
}

TEST_CASE("T2: the rank grows and shrinks to what the tolerance asks for", "[optim][lowrank]") {
  struct Case {
    int64_t start;
    double tolerance;
    bool relative;
    int64_t rank_max;
    std::vector<int64_t> ranks;
    double loss;
  };
  const auto c = GENERATE(
      Case{20, 1e-2, true, 40, {20, 20, 4, 3, 3, 3, 3, 3}, 5.050e-3},
      Case{20, 1e-3, true, 40, {21, 21, 21, 21, 4, 4, 4, 4}, 5.000e-5},
      Case{20, 1e-4, true, 40, {21, 21, 21, 21, 19, 5, 5, 5}, 0},
      Case{2, 1e-2, true, 40, {3, 4, 4, 3, 3, 3, 3, 3}, 5.050e-3},
      Case{2, 1e-3, true, 40, {3, 4, 6, 5, 5, 4, 4, 4}, 5.000e-5}, Case{2, 1e-4, true, 40, {4, 5, 6, 7, 6, 5, 5, 5}, 0},
      Case{2, 1e-6, true, 5, {4, 5, 5, 5, 5, 5, 5, 5}, 0}, Case{2, 1e-3, false, 40, {3, 4, 6, 6, 6, 5, 5, 5}, 0});
  CAPTURE(c.start, c.tolerance, c.relative, c.rank_max);
  const Tensor target = target_with(kSigma);
  Run run(heavy_ball(), start_of_rank(c.start),
          {.tolerance = c.tolerance, .relative = c.relative, .rank_min = 1, .rank_max = c.rank_max});
  std::vector<int64_t> ranks;
  int64_t done = 0;
  for (const int64_t step : {1, 2, 5, 20, 50, 100, 200, 400}) {
    run.steps(step - done, towards(target), 0.1);
    done = step;
    ranks.push_back(run.matrix.rank());
  }
  CHECK(ranks == c.ranks);
  if (c.loss > 0)
    CHECK(run.loss(target) == Approx(c.loss).epsilon(1e-3));
  else
    CHECK(run.loss(target) < 1e-15);
}

TEST_CASE("T3: a rank beyond the target's does no harm", "[optim][lowrank]") {
  const Tensor target = target_with({3, 1, 0.3});
  CHECK(Run(heavy_ball(), start_of_rank(8)).steps(1000, towards(target), 0.2).loss(target) < 1e-20);
  CHECK(Run(low_rank_adam(SecondMoment::kScalar), start_of_rank(8)).steps(1000, towards(target), 0.05).loss(target) <
        1e-15);
}

TEST_CASE("T4: a matrix is completed from 63 % of its entries", "[optim][lowrank]") {
  const std::vector<double> sigma = GENERATE(std::vector<double>{10, 5, 2, 1}, std::vector<double>{10, 3, 1, 0.1});
  const Tensor target = target_with(sigma);
  const Tensor i = torch::arange(1, 51, torch::kFloat64).unsqueeze(1), j = torch::arange(1, 41, torch::kFloat64);
  const Tensor mask = (((12.9898 * i + 78.233 * j).sin().abs() * 43758.5453).frac() < 0.6).to(torch::kFloat64);
  CHECK(mask.mean().item<double>() == Approx(0.6285).epsilon(1e-6));
  Run run(heavy_ball(), start_of_rank(4));
  run.steps(
      500, [&](const Tensor& w) { return mask * (w - target); }, 0.1);
  CHECK((mask * (run.w() - target)).square().sum().item<double>() * 0.5 < 1e-18);
  CHECK(gap(run.w(), target) < 1e-10);  // the entries that were never seen too
}

TEST_CASE("T5: on a noisy network the geometry bears rates at which momentum on the factors is lost",
          "[optim][lowrank]") {
  const auto geometric = [](double lr) {
    std::vector<Run> runs;
    runs.emplace_back(heavy_ball(), student_start(kInputs));
    runs.emplace_back(heavy_ball(), student_start(kHidden));
    return student_loss(
        {.weight = [&](int layer) { return runs[static_cast<size_t>(layer)].w().detach().requires_grad_(); },
         .step =
             [&](const std::vector<Tensor>& gradients, double rate) {
               for (size_t i = 0; i < runs.size(); ++i) runs[i].step([&](const Tensor&) { return gradients[i]; }, rate);
             }},
        lr);
  };
  const auto naive = [](double lr) {
    const Sgd momentum(SgdOptions{.momentum = 0.9});
    std::vector<Factors> layers;
    for (const int64_t inputs : {kInputs, kHidden}) {
      const LowRankPoint start = student_start(inputs);
      layers.emplace_back(momentum, std::vector<Tensor>{start.u, start.s, start.v});
    }
    return student_loss({.weight =
                             [&](int layer) {
                               Tensor w = layers[static_cast<size_t>(layer)].product();
                               if (w.requires_grad()) w.retain_grad();
                               return w;
                             },
                         .step =
                             [&](const std::vector<Tensor>&, double rate) {
                               for (Factors& layer : layers) layer.step(rate);
                             }},
                        lr);
  };
  const double calm = geometric(0.3), fast = geometric(1.0), naive_calm = naive(0.03), naive_fast = naive(0.3);
  CAPTURE(calm, fast, naive_calm, naive_fast);
  CHECK(calm < 0.5);
  CHECK(naive_calm < 0.7);  // tuned, the factors are as good or nearly
  CHECK(fast < 1.0);
  CHECK_FALSE(naive_fast < 1.5);  // ten times that; log 10 is 2.3, and the geometry bears 1.0
}

}  // namespace sst::optim
