#include "run/matched_rates.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "run/journal.hpp"
#include "run/weight_statistics.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::run {
namespace {

using testing::TemporaryFolder;

/// Two decayed matrices of norms 3 and 4 and a gain that is not.
std::vector<optim::Parameter> trained_tensors_of_norms(double a, double b) {
  return {{.name = "h.0.attn.weight", .tensor = torch::full({1, 1}, a, torch::kFloat64), .decay = true},
          {.name = "h.0.ln_1.weight", .tensor = torch::full({2}, 1.0, torch::kFloat64)},
          {.name = "h.0.mlp.weight", .tensor = torch::full({1, 1}, b, torch::kFloat64), .decay = true}};
}

double number_of(const MetricFields& fields, const std::string& name) {
  for (const auto& [key, value] : fields)
    if (key == name) return std::get<double>(value);
  FAIL("there is no " << name);
  return 0;
}

/// A run of two steps at rates 0.1 and 0.2, with weights of norms 3, 4 and then 6, 8.
void record_run(const std::filesystem::path& folder) {
  Journal journal(folder, {.jsonl = true, .csv = false, .tensorboard = false});
  journal.train(1, {{"train/loss", 1.0}});
  auto weights = trained_tensors_of_norms(3, 4);
  WeightMeter first(weights);
  for (auto& weight : weights) weight.tensor.mul_(2);
  journal.weights(1, first.fields(weights, {.base = 0.1, .low_rank = 0.3}));
  journal.weights(2, WeightMeter(weights).fields(weights, {.base = 0.2, .low_rank = 0.3}));
}

}  // namespace

TEST_CASE("weights are measured by groups, and a step by what it changes", "[run]") {
  auto weights = trained_tensors_of_norms(3, 4);
  const WeightMeter meter(weights);
  weights[0].tensor.fill_(0);
  const auto fields = meter.fields(weights, {.base = 0.1, .low_rank = 0.3});
  CHECK(number_of(fields, "weights/lr") == 0.1);
  CHECK(number_of(fields, "weights/norm") == 5);
  CHECK(number_of(fields, "weights/effective_lr") == 0.1 / 5);
  CHECK(number_of(fields, "weights/relative_update") == Approx(3.0 / 5));
  CHECK(number_of(fields, "weights/max") == 4);
  CHECK(number_of(fields, "weights/norm/attention") == 0);
  CHECK(number_of(fields, "weights/norm/feed_forward") == 4);
  CHECK(number_of(fields, "weights/norm/norms") == Approx(std::sqrt(2)));
}

TEST_CASE("matched rates move weights relative to their norms as the recorded run did", "[run]") {
  const TemporaryFolder folder;
  record_run(folder.path());
  const auto weights = trained_tensors_of_norms(3, 4), grown = trained_tensors_of_norms(9, 4);
  const MatchedRates global(folder.path(), false, 2, weights);
  CHECK(global.at(0, weights).rates.base == 0.1);  // the same norms: the same bits
  CHECK(global.at(1, weights).rates.base == Approx(0.1));
  CHECK(global.at(0, grown).rates.base == Approx(0.1 * std::sqrt(97.0) / 5));
  CHECK(global.at(0, grown).rates.low_rank == Approx(0.3 * std::sqrt(97.0) / 5));
  CHECK(global.at(0, grown).factors.empty());

  const MatchedRates single(folder / "metrics.jsonl", true, 2, weights);
  CHECK(single.at(0, grown).rates.base == 0.1);
  CHECK(single.at(0, grown).factors == std::vector<double>{3, 1, 1});
  CHECK(single.at(1, grown).factors == std::vector<double>{1.5, 1, 0.5});
}

TEST_CASE("a record that does not fit is refused by file and line", "[run]") {
  const TemporaryFolder folder;
  record_run(folder.path());
  const auto weights = trained_tensors_of_norms(3, 4);
  const auto refused = [&](const std::filesystem::path& source, int64_t steps, const auto& parameters,
                           const std::string& message) {
    CHECK_THROWS_WITH(MatchedRates(source, false, steps, parameters), ContainsSubstring(message));
  };
  refused(folder.path(), 3, weights, "holds the weights of 2 steps, but this run takes 3");
  refused(folder / "nowhere", 2, weights, "cannot read");
  auto others = weights;
  others[0].name = "h.1.attn.weight";
  refused(folder.path(), 2, others, "metrics.jsonl:2: these are weights of other tensors");
  CHECK_THROWS_AS(MatchedRates(folder.path(), false, 0, weights).at(2, weights), DataError);

  const TemporaryFolder sparse;
  Journal(sparse.path(), {.jsonl = true, .csv = false, .tensorboard = false})
      .weights(20, WeightMeter(weights).fields(weights, {.base = 0.1, .low_rank = 0.3}));
  refused(sparse.path(), 2, weights, "the weights of step 20 follow those of step 0");
}

}  // namespace sst::run
