#include "models/beam_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "nn/top_words.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mt_vectors.hpp"

namespace sst::models {
namespace {

using nlohmann::json;
using testing::mt_tensor;
using torch::Tensor;

constexpr int64_t kBegin = 2, kEnd = 3;

/// The reference's model: the scores of a next word depend on sentence, previous word and step alone.
class TableScorer final : public BeamScorer {
 public:
  TableScorer(Tensor transition, Tensor position, Tensor source)
      : transition_(std::move(transition)), position_(std::move(position)), source_(std::move(source)) {}

  NextWords next(const Tensor& last, int64_t count) override {
    beams_ = last.size(1);
    const Tensor scores = transition_.index_select(0, last.reshape({-1})) + position_[step_++ % position_.size(0)] +
                          source_.repeat_interleave(beams_, 0);
    const auto top = nn::top_words(scores, count);
    return {top.log_p.view({-1, beams_, count}), top.words.view({-1, beams_, count})};
  }
  void select(const std::vector<int64_t>& rows) override {
    std::vector<int64_t> sentences;
    for (size_t i = 0; i < rows.size(); i += static_cast<size_t>(beams_)) sentences.push_back(rows[i] / beams_);
    source_ = source_.index_select(0, torch::tensor(sentences, torch::kInt64));
  }
  int64_t vocabulary_size() const override { return transition_.size(0); }

 private:
  Tensor transition_, position_, source_;
  int64_t step_ = 0, beams_ = 1;
};

BeamOptions options_of(const json& entry) {
  BeamOptions options;
  options.beam_size = entry.at("beam");
  options.n_best = entry.at("n_best");
  options.length_norm = entry.at("length_penalty");
  options.length_penalty = entry.at("alpha");
  options.min_length = entry.at("min_length");
  options.max_len_a = entry.at("max_length_a");
  options.max_len_b = entry.at("max_length_b");
  options.no_repeat_ngram = entry.at("block_ngram");
  options.repeatable_words = entry.at("exclusion_tokens").get<std::vector<int64_t>>();
  return options;
}

std::shared_ptr<TranslationModel> searched_model(const std::string& geometry) {
  TranslationOptions options;
  options.geometry = geometry;
  options.hidden_size = 16;
  options.num_heads = 4;
  options.encoder_layers = options.decoder_layers = 2;
  const auto model =
      make_translation_model(options, {.source_size = 30, .target_size = 40}, {.seed = 3, .tensors = torch::kFloat64});
  // Sharper than fresh weights, so that translations differ and no two are nearly alike.
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : nn::stored_tensors(*model))
    if (tensor.dim() == 2 && name.find("layers") != std::string::npos)
      Tensor(tensor).mul_(geometry == "lorentz" ? 30 : 3);
  return model;
}

std::vector<std::vector<int64_t>> some_sources() {
  std::vector<std::vector<int64_t>> sources;
  for (const int64_t length : {4, 1, 7, 0, 3, 7, 2, 11}) {
    std::vector<int64_t> words(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i)
      words[static_cast<size_t>(i)] = 2 + (length * 5 + i * 7 + static_cast<int64_t>(sources.size())) % 28;
    sources.push_back(words);
  }
  return sources;
}

void check_alike(const std::vector<Hypothesis>& one, const std::vector<Hypothesis>& other) {
  REQUIRE(one.size() == other.size());
  for (size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].words == other[i].words);
    CHECK(one[i].score == Approx(other[i].score).epsilon(1e-10));
    CHECK(one[i].ended == other[i].ended);
    CHECK(one[i].alignment == other[i].alignment);
  }
}

}  // namespace

TEST_CASE("beam search finds the published hypotheses with their scores", "[models]") {
  const json* const vectors = testing::mt_vectors();
  if (vectors == nullptr) return;
  for (const json& entry : vectors->at("shared").at("beam_search").at("cases")) {
    CAPTURE(entry.at("name"));
    const BeamOptions options = options_of(entry);
    std::vector<int64_t> longest;
    for (const json& length : entry.at("source_lengths")) longest.push_back(options.longest(length));
    CHECK(longest == entry.at("max_lengths").get<std::vector<int64_t>>());
    TableScorer scorer(mt_tensor(entry.at("transition")), mt_tensor(entry.at("position")),
                       mt_tensor(entry.at("source_bias")));
    const auto found = beam_search(scorer, longest, kBegin, kEnd, options);
    for (size_t sentence = 0; sentence < found.size(); ++sentence) {
      const json& expected = entry.at("hypotheses")[sentence];
      REQUIRE(found[sentence].size() == expected.size());
      for (size_t rank = 0; rank < expected.size(); ++rank) {
        const Hypothesis& ours = found[sentence][rank];
        auto words = ours.words;
        if (ours.ended) words.push_back(kEnd);
        CHECK(words == expected[rank].at("tokens").get<std::vector<int64_t>>());
        CHECK(ours.score == Approx(expected[rank].at("score").get<double>()).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("translations do not depend on the batch's size, order and padding", "[models]") {
  const std::string geometry = GENERATE("euclidean", "lorentz");
  const int64_t beam = GENERATE(1, 3);
  CAPTURE(geometry, beam);
  const auto model = searched_model(geometry);
  const auto sources = some_sources();
  BeamOptions options;
  options.beam_size = beam;
  options.n_best = std::min<int64_t>(beam, 2);
  options.max_len_b = 8;
  options.replace_unk = true;
  const auto together = translate(*model, sources, options, 1000), alone = translate(*model, sources, options, 1);
  auto turned = sources;
  std::reverse(turned.begin(), turned.end());
  auto back = translate(*model, turned, options, 20);
  std::reverse(back.begin(), back.end());
  for (size_t i = 0; i < sources.size(); ++i) {
    CAPTURE(i);
    check_alike(together[i], alone[i]);
    check_alike(together[i], back[i]);
    for (const Hypothesis& hypothesis : together[i]) {
      CHECK(hypothesis.alignment.size() == hypothesis.words.size());
      for (const int64_t place : hypothesis.alignment) CHECK(place < static_cast<int64_t>(sources[i].size()));
    }
  }
  CHECK(together[3][0].words.empty());
  CHECK(together[0][0].words != together[2][0].words);
}

TEST_CASE("the score of a translation is its words' share of the model's loss", "[models]") {
  const std::string geometry = GENERATE("euclidean", "lorentz");
  CAPTURE(geometry);
  const auto model = searched_model(geometry);
  BeamOptions options;
  options.beam_size = 4;
  options.length_norm = "none";
  options.max_len_b = 30;
  const torch::NoGradGuard no_grad;
  int ended = 0;
  for (const auto& source : some_sources()) {
    if (source.empty()) continue;
    const auto best = translate(*model, {source}, options)[0][0];
    if (!best.ended) continue;
    ++ended;
    std::vector<int64_t> target{kBegin};
    target.insert(target.end(), best.words.begin(), best.words.end());
    target.push_back(kEnd);
    const auto row = [](const std::vector<int64_t>& ids) { return torch::tensor(ids, torch::kInt64).unsqueeze(0); };
    const auto loss =
        model->loss({.source = row(source),
                     .source_lengths = torch::tensor({static_cast<int64_t>(source.size())}, torch::kInt64),
                     .target = row(target)},
                    {}, {});
    CHECK(best.score == Approx(-loss.sum.item<double>()).epsilon(1e-9));
  }
  CHECK(ended > 0);
}

TEST_CASE("no n-gram comes twice where that is forbidden, and no end too early", "[models]") {
  const auto model = searched_model("euclidean");
  BeamOptions options;
  options.beam_size = 3;
  options.no_repeat_ngram = 1;
  options.min_length = 6;
  for (const auto& found : translate(*model, some_sources(), options)) {
    auto words = found[0].words;
    std::sort(words.begin(), words.end());
    CHECK(std::adjacent_find(words.begin(), words.end()) == words.end());
    CHECK((words.empty() || words.size() >= 6));
  }
}

TEST_CASE("more hypotheses than beams and scores that are no numbers are refused", "[models]") {
  BeamOptions options;
  options.beam_size = 2;
  options.n_best = 3;
  const Tensor zeros = torch::zeros({8, 8}, torch::kFloat64);
  TableScorer scorer(zeros, zeros, zeros.narrow(0, 0, 1));
  CHECK_THROWS_WITH(beam_search(scorer, {5}, kBegin, kEnd, options), ContainsSubstring("beam size is 2"));
  options.n_best = 1;
  TableScorer broken(zeros / 0, zeros, zeros.narrow(0, 0, 1));
  CHECK_THROWS_AS(beam_search(broken, {5}, kBegin, kEnd, options), DivergedError);
}

}  // namespace sst::models
