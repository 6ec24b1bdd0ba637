#include "nn/token_loss.hpp"

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "nn/softmax_rows.hpp"
#include "tensor/memory_meter.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/mt_vectors.hpp"

namespace sst::nn {
namespace {

using testing::draw;
using testing::kRounding;

constexpr int64_t kRows = 7, kDim = 5, kVocabulary = 53;

struct TokenCase {
  explicit TokenCase(torch::Dtype type)
      : hidden(draw({kRows, kDim}, 1).to(type).requires_grad_()),
        weight(draw({kVocabulary, kDim}, 2).to(type).requires_grad_()) {}
  torch::Tensor hidden, weight;
  torch::Tensor targets = torch::tensor(std::vector<int64_t>{3, 52, tensor::kNoTarget, 0, 17, tensor::kNoTarget, 17});

  /// Gradients of the mean over targets, hidden's first.
  std::vector<torch::Tensor> gradients(const LossSum& loss) const {
    return torch::autograd::grad({loss.sum / loss.count}, {hidden, weight});
  }
  LossSum plain() const {
    const torch::Tensor sum =
        torch::cross_entropy_loss(hidden.mm(weight.t()), targets, {}, at::Reduction::Sum, tensor::kNoTarget);
    return {sum, 5};
  }
};

}  // namespace

TEST_CASE("the fused token loss equals cross entropy of the logits, in any cut into blocks", "[nn]") {
  const TokenCase c(torch::kFloat64);
  const auto block_rows = GENERATE(0, 1, 3, 7);
  const auto scale = GENERATE(1.0, 1.0 / 5);
  const LossSum ours = token_loss(c.hidden, c.weight, c.targets, {.scale = scale, .block_rows = block_rows});
  CHECK(ours.count == 5);
  CHECK(std::abs((ours.sum - c.plain().sum).item<double>()) < kRounding);
  const auto gradients = c.gradients(ours), reference = c.gradients(c.plain());
  CHECK(torch::allclose(gradients[0], reference[0], 0, kRounding));
  CHECK(torch::allclose(gradients[1], reference[1], 0, kRounding));
}

TEST_CASE("the fused token loss in float32 and bfloat16 stays close to float64", "[nn]") {
  const TokenCase exact(torch::kFloat64), single(torch::kFloat32);
  const auto reference = exact.gradients(exact.plain());
  const auto check = [&](const TokenLossOptions& options, double tolerance) {
    const LossSum loss = token_loss(single.hidden, single.weight, single.targets, options);
    CHECK(loss.sum.scalar_type() == torch::kFloat32);
    CHECK(loss.sum.item<double>() == Approx(exact.plain().sum.item<double>()).epsilon(tolerance));
    const auto gradients = single.gradients(loss);
    for (size_t i = 0; i < 2; ++i) {
      CHECK(gradients[i].scalar_type() == torch::kFloat32);
      CHECK((gradients[i] - reference[i]).abs().max().item<double>() < tolerance);
    }
  };
  constexpr double kSingle = 1e-6, kHalf = 2e-2;  // unit roundoff 6e-8 and 4e-3, over sums of a few terms
  check({}, kSingle);
  check({.compute = torch::kBFloat16}, kHalf);
  check({.compute = torch::kBFloat16, .scale = 0.2, .block_rows = 2}, kHalf);
}

TEST_CASE("the softmax of extreme logits is finite and exact", "[nn]") {
  const torch::Tensor logits = torch::tensor({{1e4, 1e4 - 1, -1e4}, {-200.0, -300.0, -1e9}}, torch::kFloat32);
  const torch::Tensor targets = torch::tensor({1, 0}, torch::kInt64);
  const double expected = 1 + std::log1p(std::exp(-1.0));
  CHECK(softmax_sums(logits, targets, {}).loss == Approx(expected).epsilon(1e-6));
  CHECK(softmax_sums_(logits, targets, {}).loss == Approx(expected).epsilon(1e-6));
  CHECK(logits.isfinite().all().item<bool>());
  CHECK(logits[1].abs().max().item<double>() < 1e-6);
  CHECK(logits[0][1].item<double>() == Approx(std::exp(-1.0) / (1 + std::exp(-1.0)) - 1).epsilon(1e-6));
}

TEST_CASE("without a gradient the token loss leaves nothing behind", "[nn]") {
  const TokenCase c(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  const LossSum loss = token_loss(c.hidden, c.weight, c.targets);
  CHECK_FALSE(loss.sum.requires_grad());
  CHECK(std::abs((loss.sum - c.plain().sum).item<double>()) < kRounding);
}

/// The definition, from log-probabilities: Σ q log q − Σ q log p over the rows with a target.
torch::Tensor smoothed_by_hand(const torch::Tensor& scores, const torch::Tensor& targets, double epsilon,
                               int64_t padding) {
  const torch::Tensor rows = (targets >= 0).nonzero().squeeze(1), own = targets.index_select(0, rows);
  const torch::Tensor log_p = scores.index_select(0, rows).log_softmax(1);
  const double others = static_cast<double>(scores.size(1) - (padding >= 0 ? 2 : 1));
  torch::Tensor q = torch::full_like(log_p.detach(), epsilon / others);
  if (padding >= 0) q.select(1, padding).zero_();
  q.scatter_(1, own.unsqueeze(1), 1 - epsilon);
  return torch::xlogy(q, q).sum() - (q * log_p).sum();
}

TEST_CASE("the smoothed loss is the divergence of its definition, with a bias and in any cut", "[nn]") {
  const TokenCase c(torch::kFloat64);
  const torch::Tensor bias = draw({kVocabulary}, 3).requires_grad_();
  const int64_t padding = GENERATE(-1, 1), block_rows = GENERATE(0, 2);
  const TokenLossOptions options{.label_smoothing = 0.1, .padding = padding, .block_rows = block_rows};
  const torch::Tensor scores = torch::addmm(bias, c.hidden, c.weight.t());
  const torch::Tensor expected = smoothed_by_hand(scores, c.targets, 0.1, padding);
  const TokenLoss fused = token_loss(c.hidden, c.weight, bias, c.targets, options);
  const TokenLoss whole = token_loss_of_scores(scores, c.targets, options);
  const auto reference = torch::autograd::grad({expected}, {c.hidden, c.weight, bias}, {}, /*retain_graph=*/true);
  for (const TokenLoss& ours : {fused, whole}) {
    CHECK(ours.count == 5);
    CHECK(std::abs((ours.sum - expected).item<double>()) < kRounding);
    CHECK(std::abs((ours.nll - smoothed_by_hand(scores, c.targets, 0, -1)).item<double>()) < kRounding);
    const auto gradients = torch::autograd::grad({ours.sum}, {c.hidden, c.weight, bias}, {}, /*retain_graph=*/true);
    for (size_t i = 0; i < 3; ++i) CHECK(torch::allclose(gradients[i], reference[i], 0, kRounding));
  }
  CHECK(fused.correct.item<double>() == whole.correct.item<double>());
}

TEST_CASE("the smoothed loss in float32 stays close to float64", "[nn]") {
  const TokenCase exact(torch::kFloat64), single(torch::kFloat32);
  const TokenLossOptions options{.label_smoothing = 0.1, .padding = 1};
  const TokenLoss reference = token_loss(exact.hidden, exact.weight, {}, exact.targets, options);
  const TokenLoss ours = token_loss(single.hidden, single.weight, {}, single.targets, options);
  CHECK(ours.sum.item<double>() == Approx(reference.sum.item<double>()).epsilon(1e-6));
  const auto gradients = single.gradients(ours), expected = exact.gradients(reference);
  for (size_t i = 0; i < 2; ++i) CHECK((gradients[i] - expected[i]).abs().max().item<double>() < 1e-6);
}

TEST_CASE("the smoothed loss, the plain one and accuracy are the published ones", "[nn]") {
  const auto* const vectors = testing::mt_vectors();
  if (vectors == nullptr) return;
  const auto& entry = vectors->at("shared").at("loss");
  constexpr int64_t kPadding = 1;
  torch::Tensor targets = testing::mt_tensor(entry.at("target"));
  targets = torch::where(targets == kPadding, tensor::kNoTarget, targets);
  const auto check = [&](double epsilon, const std::string& sum, const std::string& gradient) {
    const torch::Tensor logits = testing::mt_tensor(entry.at("logits")).requires_grad_();
    const TokenLoss loss = token_loss_of_scores(logits, targets, {.label_smoothing = epsilon, .padding = kPadding});
    CHECK(loss.sum.item<double>() == Approx(entry.at(sum).get<double>()).epsilon(kRounding));
    CHECK(loss.nll.item<double>() == Approx(entry.at("nll").get<double>()).epsilon(kRounding));
    CHECK(loss.correct.item<double>() == entry.at("correct").get<double>());
    CHECK(loss.count == entry.at("tokens").get<double>());
    loss.sum.backward();
    const torch::Tensor expected = testing::mt_tensor(entry.at(gradient));
    CHECK(testing::close(logits.grad() / (logits.grad().abs().max() / expected.abs().max()), expected));
  };
  check(entry.at("epsilon").get<double>(), "kl", "grad_logits_kl");
  check(0, "nll", "grad_logits_nll");
}

TEST_CASE("what the token loss takes meanwhile is what is reckoned with", "[nn]") {
  const auto type = GENERATE(torch::kFloat32, torch::kBFloat16);
  const int64_t rows = GENERATE(20, 2000);        // one block, and several
  constexpr int64_t kWords = 60000, kWidth = 64;  // logits of all 2,000 rows are 240 or 480 MB
  const torch::Tensor hidden = torch::zeros({rows, kWidth}).requires_grad_();
  const torch::Tensor weight = torch::zeros({kWords, kWidth}).requires_grad_();
  const torch::Tensor targets = torch::zeros({rows}, torch::kInt64);
  const tensor::TensorMemoryMeter meter;
  const auto loss = token_loss(hidden, weight, targets, {.compute = type});
  const auto meanwhile = static_cast<double>(meter.peak_bytes() - meter.live_bytes());
  CHECK(token_loss_bytes(rows, weight, type, torch::kCPU) == Approx(meanwhile).epsilon(0.02));
}

}  // namespace sst::nn
