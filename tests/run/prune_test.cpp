#include "run/prune.hpp"

#include "methods/spectral_linear.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

constexpr double kExactly = 1e-12;

/// Two maps of blocks and one that is none.
struct PrunedModel : torch::nn::Module {
  explicit PrunedModel(const nn::LinearFactory& factory) {
    const auto add = [&](const std::string& name, const torch::Tensor& weight, bool in_block) {
      register_module(name, factory({.in = weight.size(1),
                                     .out = weight.size(0),
                                     .name = name,
                                     .in_block = in_block,
                                     .initial_weight = weight}));
    };
    add("diagonal", torch::diag(torch::tensor({5.0, 3.0, 1.0, 1.0}, torch::kFloat64)), true);
    add("wide", torch::cat({torch::eye(2, torch::kFloat64), torch::zeros({2, 6}, torch::kFloat64)}, 1), true);
    add("head", torch::diag(torch::tensor({4.0, 1.0}, torch::kFloat64)), false);
  }
};

Pruning::Tensors dense_of(const torch::nn::Module& model) {
  Pruning::Tensors tensors;
  for (const auto& [name, tensor] : nn::dense_tensors(model)) tensors[name] = tensor.clone();
  return tensors;
}

}  // namespace

TEST_CASE("the fewest singular values are kept whose sum is the share of all", "[run]") {
  const torch::Tensor sigma = torch::tensor({5.0, 3.0, 1.0, 1.0}, torch::kFloat64);
  CHECK(kept_rank(sigma, 1) == 4);
  CHECK(kept_rank(sigma, 0.91) == 4);
  CHECK(kept_rank(sigma, 0.9) == 3);
  CHECK(kept_rank(sigma, 0.8) == 2);
  CHECK(kept_rank(sigma, 0.81) == 3);
  CHECK(kept_rank(sigma, 0.5) == 1);
  CHECK(kept_rank(sigma, 0.01) == 1);
  CHECK(kept_rank(torch::zeros({3}), 0.9) == 1);
  CHECK(kept_rank(torch::tensor({2.0, 0.0, 0.0}), 1) == 1);
}

TEST_CASE("pruning drops the smallest singular values of the maps that are named, whatever method holds them",
          "[run]") {
  const bool spectral = GENERATE(false, true);
  CAPTURE(spectral);
  const PrunedModel model([&](const nn::LinearSpec& spec) -> std::shared_ptr<nn::LinearMap> {
    if (!spectral) return std::make_shared<nn::DenseLinear>(spec);
    return std::make_shared<methods::SpectralLinear>(spec, methods::SpectralLinear::Options{.rank = 1});
  });
  const auto dense = dense_of(model);
  const Pruning pruning(model, dense, {"*"});

  for (const auto& [name, tensor] : pruning.tensors(1)) CHECK(tensor.equal(dense.at(name)));
  CHECK(pruning.removed(1) == 0);
  CHECK(pruning.size(1) == 1);

  const auto pruned = pruning.tensors(0.8);  // 2 of {5, 3, 1, 1} and 2 of {1, 1}
  CHECK(pruned.at("head.weight").equal(dense.at("head.weight")));
  CHECK(pruned.at("diagonal.bias").equal(dense.at("diagonal.bias")));
  const double error = (pruned.at("diagonal.weight") - dense.at("diagonal.weight")).square().sum().item<double>();
  CHECK(error == Approx(2).epsilon(kExactly));  // the squares of those that were dropped
  CHECK(torch::allclose(pruned.at("wide.weight"), dense.at("wide.weight"), kExactly, kExactly));
  CHECK(pruning.removed(0.8) == Approx(2.0 / 6));

  // At rank 1 the wide map is 1 · (2 + 8) numbers for 16, the square one 1 · (4 + 4) for 16.
  CHECK(pruning.size(0.5) == Approx(18.0 / 32));
  CHECK(pruning.factored_ranks(0.5) == std::map<std::string, int64_t>{{"diagonal", 1}, {"wide", 1}});
  CHECK(pruning.factored_ranks(0.8).empty());  // two factors of rank 2 are no smaller

  CHECK_THROWS_WITH(Pruning(model, dense, {"*.fc1"}), "'*.fc1' names no linear map");
  CHECK(Pruning(model, dense, {"head"}).removed(0.8) == Approx(0.5));
}

TEST_CASE("a pruning curve reads back as it was written, and what is none is refused", "[run]") {
  const std::vector<report::PrunePoint> curve = {
      {.keep = 1, .results = {{"valid/loss", 2.5}}},
      {.keep = 0.9, .removed = 0.3, .size = 0.8, .results = {{"valid/loss", NAN}}}};
  const auto read = report::prune_curve_from(nlohmann::ordered_json::parse(report::to_json(curve).dump()));
  REQUIRE(read.size() == 2);
  CHECK(read[0].results.at("valid/loss") == 2.5);
  CHECK(read[1].removed == 0.3);
  CHECK(std::isnan(read[1].results.at("valid/loss")));
  CHECK_THROWS_AS(report::prune_curve_from(nlohmann::ordered_json::parse(R"([{"keep": 1}])")), DataError);
}

}  // namespace sst::run
