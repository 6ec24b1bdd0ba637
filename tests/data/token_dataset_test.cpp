#include "data/token_dataset.hpp"

#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::data {
namespace {

using sst::testing::TemporaryFolder;
using Rows = std::vector<std::vector<int64_t>>;

constexpr int64_t kSeparator = 9;

text::TokenStream stream_of(const TemporaryFolder& folder, const std::vector<std::vector<int32_t>>& files) {
  std::vector<text::TokenFile> opened;
  for (const auto& ids : files) {
    const auto path = folder / (std::to_string(opened.size()) + ".bin");
    text::TokenFileWriter writer(path, text::TokenType::kUint16);
    writer.write(ids);
    writer.finish();
    opened.emplace_back(path);
  }
  return text::TokenStream(std::move(opened));
}

TokenDatasetOptions options_for(int64_t seq_len, Packing packing = Packing::kContiguous) {
  return {.seq_len = seq_len, .packing = packing, .vocabulary = 1000, .separator = static_cast<int32_t>(kSeparator)};
}

std::vector<int32_t> counting(int32_t first, int32_t last) {
  std::vector<int32_t> ids;
  for (int32_t i = first; i < last; ++i) ids.push_back(i);
  return ids;
}

Rows rows_of(const torch::Tensor& tensor) {
  Rows rows;
  for (int64_t i = 0; i < tensor.size(0); ++i) {
    const torch::Tensor row = tensor[i].contiguous();
    rows.emplace_back(row.data_ptr<int64_t>(), row.data_ptr<int64_t>() + row.numel());
  }
  return rows;
}

/// All sequences in their own order.
TokenBatch everything(const TokenDataset& dataset) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < dataset.size(); ++i) all.push_back(i);
  return dataset.batch(all);
}

}  // namespace

TEST_CASE("a split that keeps its rest predicts every token but the first", "[data]") {
  const TemporaryFolder folder;
  auto options = options_for(4);
  options.keep_rest = true;
  const TokenDataset dataset(stream_of(folder, {counting(0, 7)}), options);
  const TokenBatch batch = everything(dataset);
  CHECK(rows_of(batch.inputs) == Rows{{0, 1, 2, 3}, {4, 5, 6, kSeparator}});
  CHECK(rows_of(batch.targets) == Rows{{1, 2, 3, 4}, {5, 6, tensor::kNoTarget, tensor::kNoTarget}});
  const TemporaryFolder other;
  CHECK(TokenDataset(stream_of(other, {counting(0, 5)}), options).size() == 1);  // nothing is left over
}

TEST_CASE("contiguous sequences cross files and overlap by one target", "[data]") {
  const TemporaryFolder folder;
  const TokenDataset dataset(stream_of(folder, {counting(0, 5), counting(5, 6), counting(6, 12)}), options_for(3));
  CHECK(dataset.tokens() == 12);
  REQUIRE(dataset.size() == 3);  // (12 − 1) / 3
  const TokenBatch batch = everything(dataset);
  CHECK(rows_of(batch.inputs) == Rows{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}});
  CHECK(rows_of(batch.targets) == Rows{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  const std::vector<int64_t> two = {2, 0};
  CHECK(rows_of(dataset.batch(two).inputs) == Rows{{6, 7, 8}, {0, 1, 2}});
  CHECK(dataset.batch({}).inputs.size(0) == 0);
}

TEST_CASE("a stream just long enough gives one sequence, one token less none", "[data]") {
  const TemporaryFolder folder;
  CHECK(TokenDataset(stream_of(folder, {counting(0, 5)}), options_for(4)).size() == 1);
  CHECK_THROWS_WITH(TokenDataset(stream_of(folder, {counting(0, 4)}), options_for(4)),
                    ContainsSubstring("the train split has 4 tokens, too few"));
}

TEST_CASE("packed by document, every token of a document is predicted once and nothing crosses", "[data]") {
  const TemporaryFolder folder;
  const Rows inputs = {{9, 1, 2}, {9, 3, 4}, {5, 6, 9}, {9, 7, 9}};
  const Rows targets = {{1, 2, 9}, {3, 4, 5}, {6, 9, -100}, {7, 9, -100}};
  // Separators after each document (nanoGPT), before each (llm.c), or between them; empty documents; cut into files.
  const std::vector<std::vector<std::vector<int32_t>>> layouts = {{{1, 2, 9, 3, 4, 5, 6, 9, 7, 9}},
                                                                  {{9, 1, 2, 9, 3, 4, 5, 6, 9, 7}},
                                                                  {{1, 2, 9, 3, 4, 5, 6, 9, 7}},
                                                                  {{9, 9, 1, 2, 9, 9, 9, 3, 4, 5, 6, 9, 7, 9, 9}},
                                                                  {{1}, {2, 9}, {3}, {4, 5, 6}, {9, 7}, {9}}};
  for (const auto& files : layouts) {
    const TokenDataset dataset(stream_of(folder, files), options_for(3, Packing::kDocument));
    REQUIRE(dataset.size() == 4);
    const TokenBatch batch = everything(dataset);
    CHECK(rows_of(batch.inputs) == inputs);
    CHECK(rows_of(batch.targets) == targets);
  }
}

TEST_CASE("packing by document needs separators", "[data]") {
  const TemporaryFolder folder;
  auto options = options_for(3, Packing::kDocument);
  options.separator.reset();
  CHECK_THROWS_AS(TokenDataset(stream_of(folder, {counting(0, 5)}), options), UserError);
  CHECK_THROWS_AS(TokenDataset(stream_of(folder, {{9, 9, 9}}), options_for(3, Packing::kDocument)), DataError);
}

TEST_CASE("the order of sequences depends on seed, epoch and place alone", "[data]") {
  const TemporaryFolder folder;
  const TokenDataset dataset(stream_of(folder, {counting(0, 104)}), options_for(1));
  REQUIRE(dataset.size() == 103);
  const auto whole = dataset.samples(7, 0, 350);
  for (const int64_t step : {1, 3, 10, 64, 200}) {
    std::vector<int64_t> pieces;
    for (int64_t first = 0; first < 350; first += step)
      for (const int64_t sequence : dataset.samples(7, first, std::min<int64_t>(step, 350 - first)))
        pieces.push_back(sequence);
    CHECK(pieces == whole);
  }
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < 103; ++i) {
      CHECK(whole[static_cast<size_t>(epoch * 103 + i)] == dataset.order(7, epoch, i));
      seen.insert(dataset.order(7, epoch, i));
    }
    CHECK(seen.size() == 103);
  }
  CHECK(dataset.samples(7, 0, 103) != dataset.samples(8, 0, 103));
  CHECK(dataset.samples(7, 0, 103) != dataset.samples(7, 103, 103));

  auto in_order = options_for(1);
  in_order.shuffle = false;
  const TokenDataset plain(stream_of(folder, {counting(0, 4)}), in_order);
  CHECK(plain.samples(7, 1, 5) == std::vector<int64_t>{1, 2, 0, 1, 2});
  CHECK(plain.order(7, 5, 2) == 2);
}

TEST_CASE("an id outside the vocabulary is found with its file and place", "[data]") {
  const TemporaryFolder folder;
  for (const Packing packing : {Packing::kContiguous, Packing::kDocument}) {
    auto options = options_for(2, packing);
    options.vocabulary = 10;
    const TokenDataset dataset(stream_of(folder, {{1, 2, 3}, {4, 10, 5}}), options);
    CHECK_THROWS_WITH(everything(dataset), ContainsSubstring("1.bin', token 1: id 10 is not below 10"));
  }
}

TEST_CASE("the fingerprint of a stream tells other tokens", "[data]") {
  const TemporaryFolder folder;
  auto ids = counting(0, 50'000);
  const std::string once = stream_of(folder, {ids}).fingerprint();
  CHECK(stream_of(folder, {ids}).fingerprint() == once);
  ids.back() = 1;
  const std::string changed = stream_of(folder, {ids}).fingerprint();
  CHECK(changed != once);
  CHECK(stream_of(folder, {{1, 2}, {3}}).fingerprint() != stream_of(folder, {{1}, {2, 3}}).fingerprint());
}

}  // namespace sst::data
