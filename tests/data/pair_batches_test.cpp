#include "data/pair_batches.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"

using namespace sst;
using data::BatchLimit;
using data::PairBatches;
using text::PairLength;

namespace {

std::vector<PairLength> drawn_lengths(int64_t pairs) {
  CounterRng rng(5, Stream::kData);
  std::vector<PairLength> lengths;
  while (pairs-- > 0)
    lengths.push_back({static_cast<int32_t>(1 + rng.below(40)), static_cast<int32_t>(1 + rng.below(40))});
  return lengths;
}

int64_t cost(std::span<const int64_t> batch, const std::vector<PairLength>& lengths) {
  int64_t longest = 0;
  for (const int64_t pair : batch) {
    const PairLength& length = lengths[static_cast<size_t>(pair)];
    longest = std::max<int64_t>({longest, length.source + 2, length.target + 1});
  }
  return longest * static_cast<int64_t>(batch.size());
}

std::vector<std::vector<int64_t>> all_batches(const PairBatches& batches) {
  std::vector<std::vector<int64_t>> all;
  for (int64_t i = 0; i < batches.size(); ++i) all.emplace_back(batches[i].begin(), batches[i].end());
  return all;
}

}  // namespace

TEST_CASE("batches are cut where OpenNMT-py cuts them", "[data]") {
  const auto path = testing::shared_file("spec/hybonet_mt_vectors.json");
  if (!path) return;
  const auto file = nlohmann::json::parse(std::ifstream(*path));
  for (const auto& entry : file.at("shared").at("token_batches").at("cases")) {
    std::vector<PairLength> lengths;
    for (const auto& pair : entry.at("lengths")) lengths.push_back({pair[0], pair[1]});
    const auto ends =
        data::cut_batches(lengths, {.size = entry.at("batch_size"), .multiple = entry.at("batch_size_multiple")});
    std::vector<std::vector<size_t>> batches;
    for (size_t start = 0; const size_t end : ends) {
      batches.emplace_back(end - start);
      std::iota(batches.back().begin(), batches.back().end(), start);
      start = end;
    }
    CHECK(nlohmann::json(batches) == entry.at("batches"));
  }
}

TEST_CASE("an epoch has every pair once, in batches within their size, as often in every epoch", "[data]") {
  const auto lengths = drawn_lengths(2000);
  const BatchLimit limit{.size = 512};
  const PairBatches first(lengths, limit, 1, 0), second(lengths, limit, 1, 1);
  CHECK(first.size() == second.size());
  std::vector<int64_t> seen;
  for (int64_t i = 0; i < first.size(); ++i) {
    CHECK(cost(first[i], lengths) <= limit.size);
    CHECK(std::ranges::is_sorted(first[i], std::greater<>(),
                                 [&](int64_t pair) { return lengths[static_cast<size_t>(pair)].source; }));
    seen.insert(seen.end(), first[i].begin(), first[i].end());
  }
  std::ranges::sort(seen);
  REQUIRE(seen.size() == lengths.size());
  for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<int64_t>(i));
}

TEST_CASE("batches follow from seed and epoch alone, and each changes both pairs and order", "[data]") {
  const auto lengths = drawn_lengths(500);
  const BatchLimit limit{.size = 300, .multiple = 4};
  const auto batches = all_batches(PairBatches(lengths, limit, 3, 7));
  CHECK(batches == all_batches(PairBatches(lengths, limit, 3, 7)));
  for (const auto& other :
       {all_batches(PairBatches(lengths, limit, 3, 8)), all_batches(PairBatches(lengths, limit, 4, 7))}) {
    CHECK(batches != other);
    auto sorted = batches, other_sorted = other;
    std::ranges::sort(sorted);
    std::ranges::sort(other_sorted);
    CHECK(sorted != other_sorted);  // pairs of equal length meet others
  }
  for (size_t i = 0, odd = 0; i < batches.size(); ++i) CHECK((odd += batches[i].size() % 4 != 0) <= 1);  // the last cut
}

TEST_CASE("batches of sentences have their number, but for the rest", "[data]") {
  const auto lengths = drawn_lengths(300);
  const PairBatches batches(lengths, {.unit = BatchLimit::Unit::kSentences, .size = 128}, 1, 0);
  REQUIRE(batches.size() == 3);
  std::vector<size_t> sizes;
  for (int64_t i = 0; i < 3; ++i) sizes.push_back(batches[i].size());
  std::ranges::sort(sizes);
  CHECK(sizes == std::vector<size_t>{44, 128, 128});
}

TEST_CASE("without shuffling every epoch has the pairs where they lie", "[data]") {
  const auto lengths = drawn_lengths(200);
  const BatchLimit limit{.size = 256};
  const auto batches = all_batches(PairBatches(lengths, limit, 1, 0, PairBatches::Order::kAsTheyLie));
  CHECK(batches == all_batches(PairBatches(lengths, limit, 2, 5, PairBatches::Order::kAsTheyLie)));
  int64_t next = 0;
  for (const auto& batch : batches) {
    CHECK(cost(batch, lengths) <= limit.size);
    for (const int64_t pair : batch) CHECK(pair == next++);
  }
  CHECK(next == 200);
}
