#include "methods/relora.hpp"

#include "optim/adam.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;

struct ReloraRun {
  Relora method;
  std::shared_ptr<AdapterLinear> layer;
  optim::Optimizer optimizer{std::make_unique<optim::Adam>(optim::AdamOptions{}), 0.0};

  explicit ReloraRun(const ReloraOptions& options)
      : method(options, {.seed = 3, .hidden_size = 4, .rows_per_step = 6}),
        layer(std::dynamic_pointer_cast<AdapterLinear>(method.make_linear(spec_of(4, 7)))) {
    for (const auto& [name, tensor] : nn::trainable_tensors(*layer)) optimizer.add({"layer." + name, tensor});
    method.on_start(optimizer);
  }
  void backward(int64_t t) {
    optimizer.zero_grad();
    (layer->forward(gaussian({6, 7}, 50 + static_cast<uint64_t>(t))) * gaussian({6, 4}, 80 + static_cast<uint64_t>(t)))
        .sum()
        .backward();
  }
  void step(int64_t t) {
    backward(t);
    optimizer.step({.base = 0.05, .low_rank = 0.05});
    method.after_step(t, optimizer);
  }
};

ReloraOptions merging_every(int64_t steps, const std::string& reset = "zero") {
  ReloraOptions options;
  options.rank = 2;
  options.merge_every = recipe::Interval::steps(steps);
  options.reset = reset;
  options.prune_ratio = 0.75;
  return options;
}

}  // namespace

TEST_CASE("right after a merge the gradient of A is exactly zero and that of B is G Aᵀ", "[methods][relora]") {
  ReloraRun run(merging_every(3));
  for (int64_t t = 0; t < 3; ++t) run.step(t);
  run.backward(3);
  CHECK(run.layer->a().grad().abs().max().item<double>() == 0);
  const auto g = gaussian({6, 4}, 83).t().mm(gaussian({6, 7}, 53));
  CHECK(distance(run.layer->b().grad(), g.mm(run.layer->a().detach().t())) < 1e-12);
}

TEST_CASE("a merge leaves the function unchanged and raises the rank of what was learnt", "[methods][relora]") {
  ReloraRun run(merging_every(3));
  const auto initial = run.layer->dense_weight().clone();
  for (int64_t t = 0; t < 2; ++t) run.step(t);
  run.backward(2);
  run.optimizer.step({.base = 0.05, .low_rank = 0.05});
  const auto before = run.layer->dense_weight();
  run.method.after_step(2, run.optimizer);
  CHECK(distance(run.layer->dense_weight(), before) < 1e-13);
  CHECK(run.layer->b().abs().max().item<double>() == 0);
  CHECK(torch::linalg_matrix_rank(run.layer->dense_weight() - initial, 1e-9).item<int64_t>() == 2);
  for (int64_t t = 3; t < 6; ++t) run.step(t);
  CHECK(torch::linalg_matrix_rank(run.layer->dense_weight() - initial, 1e-9).item<int64_t>() == 4);
}

TEST_CASE("the published ReLoRA prunes the moments and keeps their step count; ReLoRA* clears both",
          "[methods][relora]") {
  const std::string reset = GENERATE("prune_magnitude", "prune_random", "zero");
  ReloraRun run(merging_every(3, reset));
  for (int64_t t = 0; t < 2; ++t) run.step(t);
  run.backward(2);
  run.optimizer.step({.base = 0.05, .low_rank = 0.05});
  const auto before = run.optimizer.state_dict().at("exp_avg/layer.lora_a").clone();
  run.method.after_step(2, run.optimizer);
  const auto state = run.optimizer.state_dict();
  if (reset == "zero") {
    CHECK(state.at("step/layer.lora_a").item<int64_t>() == 0);
    return;
  }
  const auto after = state.at("exp_avg/layer.lora_a");
  CHECK(state.at("step/layer.lora_a").item<int64_t>() == 3);
  const auto kept = after != 0;
  CHECK(torch::equal(after.masked_select(kept), before.masked_select(kept)));
  if (reset == "prune_magnitude") {
    CHECK(kept.sum().item<int64_t>() == 4);  // of 14 entries those above the quantile at 0.75 · 13
    CHECK(after.abs().masked_select(kept).min().item<double>() >=
          before.abs().masked_select(kept.logical_not()).max().item<double>());
  } else {
    CHECK(kept.sum().item<int64_t>() < 14);
  }
}

TEST_CASE("magnitude pruning of 99 % keeps one entry in a hundred, as it was", "[methods][relora]") {
  auto options = merging_every(1, "prune_magnitude");
  options.prune_ratio = 0.99;
  options.rank = 20;
  Relora method(options, {.seed = 3});
  const auto layer = method.make_linear(spec_of(20, 50));
  optim::Optimizer optimizer(std::make_unique<optim::Adam>(optim::AdamOptions{}), 0.0);
  for (const auto& [name, tensor] : nn::trainable_tensors(*layer)) {
    optimizer.add({"layer." + name, tensor});
    torch::Tensor(tensor).mutable_grad() = gaussian(tensor.sizes(), 60);
  }
  optimizer.step({.base = 0.05, .low_rank = 0.05});
  const auto before = optimizer.state_dict().at("exp_avg_sq/layer.lora_a").clone();
  method.after_step(0, optimizer);
  const auto after = optimizer.state_dict().at("exp_avg_sq/layer.lora_a");
  CHECK((after != 0).sum().item<int64_t>() == 10);  // of 1000
  CHECK(torch::equal(after.masked_select(after != 0), before.masked_select(after != 0)));
}

TEST_CASE("the frozen matrix has no gradient and no optimizer state", "[methods][lora]") {
  LoraOptions options;
  options.rank = 2;
  Lora method(options, {.seed = 1});
  const auto layer = method.make_linear(spec_of(4, 7));
  int64_t trained = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(*layer)) trained += tensor.numel();
  CHECK(trained == 2 * (4 + 7) + 4);
}

TEST_CASE("no update of rank r beats the tail of the singular values, and the truncated SVD attains it",
          "[methods][lora]") {
  const auto ideal = gaussian({5, 7}, 30);
  const auto svd = tensor::thin_svd(ideal);
  const double bound = svd.s.narrow(0, 2, 3).norm().item<double>();
  const auto best = (svd.u.narrow(1, 0, 2) * svd.s.narrow(0, 0, 2)).mm(svd.vt.narrow(0, 0, 2));
  CHECK((ideal - best).norm().item<double>() == Approx(bound));
  for (uint64_t key = 0; key < 20; ++key) {
    const auto other = gaussian({5, 2}, 31 + key).mm(gaussian({2, 7}, 61 + key));
    CHECK((ideal - other).norm().item<double>() >= bound);
  }
}

TEST_CASE("targets name maps by glob; a star alone means the maps of the blocks", "[methods]") {
  LoraOptions options;
  options.rank = 1;
  const auto replaced_by = [&](std::vector<std::string> targets) {
    options.targets = std::move(targets);
    const Lora method(options, {.seed = 1});
    std::vector<std::string> names;
    for (const char* name : {"encoder.layers.0.weight", "encoder.layers.1.weight", "head"}) {
      auto spec = spec_of(4, 4);
      spec.name = name;
      spec.in_block = std::string(name) != "head";
      if (method.replaces(spec)) names.push_back(name);
    }
    return names;
  };
  CHECK(replaced_by({"*"}) == std::vector<std::string>{"encoder.layers.0.weight", "encoder.layers.1.weight"});
  CHECK(replaced_by({"*.1.weight", "head"}) == std::vector<std::string>{"encoder.layers.1.weight", "head"});
  CHECK(replaced_by({"decoder.*"}).empty());
}

}  // namespace sst::methods
