// The heads of the graph tasks: class points, link scores and their losses.
#include <torch/utils.h>

#include "nn/link_scores.hpp"
#include "nn/lorentz_classifier.hpp"
#include "nn/loss.hpp"
#include "tensor/lorentz.hpp"
#include "tests/support/build.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/set_tensors.hpp"
#include "tests/support/vectors.hpp"

namespace sst::nn {
namespace {

using testing::agrees;
using testing::draw;
using testing::hybonet_vectors;
using testing::kDouble;
using testing::kRounding;
using testing::kVectorTolerance;
using testing::near;

double mean(const LossSum& loss) { return loss.sum.item<double>() / loss.count; }

}  // namespace

TEST_CASE("the classifier gives the published logits", "[nn]") {
  const auto vectors = hybonet_vectors("lorentz_decoder");
  if (!vectors) return;
  LorentzClassifier classifier(3, 5, kDouble, "decoder");
  testing::set_tensors(classifier, {{"cls", vectors->in("cls")}, {"bias", vectors->in("bias")}});
  CHECK(agrees(classifier.forward(vectors->in("h")), vectors->out("logits")));
}

TEST_CASE("fresh class points lie on the hyperboloid, away from the origin, and biases are zero", "[nn]") {
  const LorentzClassifier classifier(7, 16, kDouble, "decoder");
  const torch::Tensor cls = classifier.named_parameters()["cls"].detach();
  CHECK(torch::allclose(tensor::lorentz::minkowski_inner(cls, cls), -torch::ones({7}, torch::kFloat64), kRounding,
                        kRounding));
  CHECK(torch::equal(classifier.named_parameters()["bias"], torch::zeros({7}, torch::kFloat64)));
  // The drawn direction has Euclidean length one and a time entry t, so the point lies at distance about sqrt(1 - 2t²).
  CHECK(cls.select(1, 0).min().item<double>() > 1.01);
  CHECK(cls.select(1, 0).max().item<double>() < std::cosh(1.0) + kRounding);
}

TEST_CASE("the margin loss of nodes is the published one", "[nn]") {
  const auto vectors = hybonet_vectors("nc_margin_loss");
  if (!vectors) return;
  const torch::Tensor logits = vectors->in("logits").requires_grad_();
  const LossSum loss = margin_loss(logits, vectors->in_indices("labels"), vectors->in_number("margin"));
  CHECK(mean(loss) == near(vectors->out_number("loss")));
  (loss.sum / loss.count).backward();
  CHECK(agrees(logits.grad(), vectors->out("grad_logits")));
}

TEST_CASE("cross entropy is the published one", "[nn]") {
  const auto vectors = hybonet_vectors("nc_binary_metrics");
  if (!vectors) return;
  CHECK(mean(nn::cross_entropy_loss(vectors->in("logits"), vectors->in_indices("labels"))) ==
        near(vectors->out_number("cross_entropy")));
}

TEST_CASE("link scores and their margin loss are the published ones", "[nn]") {
  const auto vectors = hybonet_vectors("lp_margin_loss");
  if (!vectors) return;
  const torch::Tensor h = vectors->in("h");
  const torch::Tensor positive = link_scores(h, vectors->in_indices("pos_edges").t()).requires_grad_();
  const torch::Tensor negative = link_scores(h, vectors->in_indices("neg_edges").t()).requires_grad_();
  CHECK(agrees(positive, vectors->out("pos_scores")));
  CHECK(agrees(negative, vectors->out("neg_scores")));
  const LossSum loss = link_margin_loss(positive, negative, vectors->in_number("margin"));
  CHECK(mean(loss) == near(vectors->out_number("loss")));
  (loss.sum / loss.count).backward();
  CHECK(agrees(torch::stack({positive.grad(), negative.grad()}, 1), vectors->out("grad_scores")));
}

TEST_CASE("the Fermi-Dirac decoder and its loss are the published ones", "[nn]") {
  const auto vectors = hybonet_vectors("fermi_dirac");
  if (!vectors) return;
  const torch::Tensor probability =
      fermi_dirac(vectors->in("sqdist"), vectors->in_number("r"), vectors->in_number("t"));
  CHECK(agrees(probability, vectors->out("prob")));
  CHECK(torch::allclose(probability, vectors->out("prob"), kVectorTolerance, 0));  // the smallest is 2e-22
  const int64_t pairs = vectors->in_indices("n_pos").item<int64_t>();
  REQUIRE(pairs == vectors->in_indices("n_neg").item<int64_t>());
  const LossSum loss = link_cross_entropy_loss(probability.narrow(0, 0, pairs), probability.narrow(0, pairs, pairs));
  CHECK(mean(loss) == near(vectors->out_number("bce_loss")));
}

TEST_CASE("fused link scores equal the plain formula, repeated nodes and loops included", "[nn]") {
  const int64_t dim = GENERATE(2, 5, 16);
  CAPTURE(dim);
  const torch::Tensor points = tensor::lorentz::expmap0(draw({9, dim}, 1));
  const torch::Tensor pairs = torch::tensor({{0, 3, 3, 8, 5, 0}, {3, 3, 0, 1, 5, 3}}, torch::kInt64);
  const auto run = [&](auto score) {
    const torch::Tensor h = points.clone().requires_grad_();
    const torch::Tensor scores = score(h, pairs);
    scores.backward(draw({6}, 2));
    return std::pair{scores.detach(), h.grad()};
  };
  const auto fused = run(link_scores), plain = run(link_scores_plain);
  CHECK(torch::allclose(fused.first, plain.first, kRounding, kRounding));
  CHECK(torch::allclose(fused.second, plain.second, kRounding, kRounding));
}

TEST_CASE("link scores have the same bits with one thread and with several", "[nn]") {
  const torch::Tensor points = tensor::lorentz::expmap0(draw({500, 16}, 1)).to(torch::kFloat32);
  const torch::Tensor pairs = tensor::permutation(40000, {1, Stream::kInit}).remainder(500).view({2, 20000});
  const auto run = [&](int threads) {
    torch::set_num_threads(threads);
    const torch::Tensor h = points.clone().requires_grad_();
    const torch::Tensor scores = link_scores(h, pairs);
    scores.backward(scores.detach());
    return std::pair{scores.detach(), h.grad()};
  };
  const int before = torch::get_num_threads();
  const auto one = run(1), four = run(4);
  torch::set_num_threads(before);
  CHECK(torch::equal(one.first, four.first));
  CHECK(torch::equal(one.second, four.second));
}

TEST_CASE("a pair with a node outside the graph is refused", "[nn]") {
  const torch::Tensor h = tensor::lorentz::expmap0(draw({3, 4}, 1));
  CHECK_THROWS_AS(link_scores(h, torch::tensor({{0}, {3}}, torch::kInt64)), std::logic_error);
  CHECK_THROWS_AS(link_scores(h, torch::tensor({{-1}, {0}}, torch::kInt64)), std::logic_error);
}

}  // namespace sst::nn
