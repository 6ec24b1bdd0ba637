#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/pair_batches.hpp"
#include "data/prefetch.hpp"
#include "models/beam_search.hpp"
#include "models/translation_model.hpp"
#include "tasks/task.hpp"
#include "tasks/translation_recipe.hpp"
#include "text/parallel_corpus.hpp"

namespace sst::tasks {

/// One translation of a sentence.
struct TranslatedText {
  std::string text;    ///< as it is read
  std::string pieces;  ///< as the model wrote it, blanks between
  double score = 0;    ///< Σ log p divided by the length norm
};

/// How likely a translation is, given its source.
struct PairScore {
  double log_p = 0;    ///< Σ ln p of its words and end
  int64_t tokens = 0;  ///< those; 0 for an empty source, of which nothing is predicted
};

/// Translation by an encoder and a decoder. Micro-batches are those of an endless list, epoch after epoch, whose order
/// follows from the seed; an optimizer step takes the next few of them.
class Translation final : public Task {
 public:
  /// Opens or trains the tokenizers; text is read when it is first asked for, so that a trained model is usable without.
  explicit Translation(TranslationRecipe recipe);

  Workload workload() const override;
  void build(const nn::Build& build) override;
  torch::nn::Module& model() override { return *model_; }
  std::vector<std::string> lorentz_parameters() const override { return models::lorentz_parameters(recipe_.model); }
  bool can_share() const override { return true; }
  bool has_test() const { return !recipe_.data.test_src.values.empty(); }
  std::vector<std::string> splits() const override {
    if (has_test()) return {"valid", "test"};
    return {"valid"};
  }

  StepShape step_shape(int64_t step) override;
  std::optional<int64_t> largest_step() const override;
  nn::LossSum loss(const nn::Pass& pass, int64_t part) override;
  struct OwnRows {
    models::TranslationBatch batch;
    int64_t first = 0;      ///< place of the first one in the part
    bool is_spare = false;  ///< there are more processes than rows, and this is another one's, which counts there
  };
  /// What this process computes of a part of the step at hand.
  OwnRows own_rows(int64_t part) const;
  /// "loss" in nats per target token, without smoothing, "ppl_token", "accuracy" of the next token given the right ones
  /// before it; "bleu" and "chrf" of the decoded text, from 0 to 100, where eval.metrics names them and for the test split.
  /// Of the valid split eval.max_batches may leave a first part.
  Evaluated evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) override;

  /// Throws DataError for a line that translate() could not take: malformed, or longer than the model.
  void require_translatable(const std::string& line) const;
  /// The best translations of each line, best first.
  std::vector<std::vector<TranslatedText>> translate(
      std::span<const std::string> lines, const models::BeamOptions& options, int64_t batch_tokens,
      const nn::Pass& pass, const BetweenBatches& between = [] {});

  /// How likely each pair is.
  ///   throws    DataError with the pair's place for text that is longer than the model
  std::vector<PairScore> score(std::span<const text::SentencePair> pairs, int64_t batch_tokens, const nn::Pass& pass);

  std::map<std::string, std::string> signatures() const override;

  std::map<std::string, std::filesystem::path> tokenizer_files() const override;
  std::vector<std::pair<std::string, std::string>> facts() const override;
  std::string data_sha256() const override;
  double step_bytes(double gradients) const override;
  bool recomputes_blocks() const override { return recipe_.step.recompute == "blocks"; }
  void set_memory_budget(double /*bytes*/, const nn::Pass& pass) override { compute_ = pass.compute; }

  const TranslationRecipe& recipe() const { return recipe_; }

 private:
  struct Corpora;
  const Corpora& corpora() const;
  const text::ParallelCorpus& corpus(const std::string& split) const;
  bool decodes(const std::string& split) const;
  int64_t evaluated_pairs(const std::string& split) const;
  data::PairBatches epoch_of(const text::ParallelCorpus& corpus, int64_t epoch) const;
  int64_t largest_batch(const data::PairBatches& epoch) const;
  double bytes_at_once() const;
  std::vector<int64_t> source_ids(const std::string& line) const;
  /// One micro-batch of the endless list.
  models::TranslationBatch training_batch(int64_t micro_batch) const;
  models::TranslationBatch batch(const text::ParallelCorpus& corpus, std::span<const int64_t> pairs,
                                 std::optional<int64_t> sampled_in_epoch = {}) const;
  models::TranslationBatch padded(const std::vector<std::vector<int32_t>>& sources,
                                  const std::vector<std::vector<int32_t>>& targets) const;
  std::vector<std::string> translated_together(std::span<const std::string> sources, const nn::Pass& pass,
                                               const BetweenBatches& between);
  models::TranslationBatch on_device(const models::TranslationBatch& batch) const;
  std::string source_word(const std::string& line, const std::vector<int64_t>& ids, size_t place) const;
  void add_translations(const std::string& split, const nn::Pass& pass, const BetweenBatches& between,
                        Evaluated& result);

  TranslationRecipe recipe_;
  SentenceTokenizers tokenizers_;
  models::TranslationVocabulary vocabulary_;
  mutable std::shared_ptr<const Corpora> corpora_;
  mutable std::optional<std::pair<int64_t, data::PairBatches>> epoch_;  ///< the one that make_step asked for last
  std::shared_ptr<models::TranslationModel> model_;
  torch::Device device_ = torch::kCPU;
  torch::ScalarType type_ = torch::kFloat32;
  std::optional<torch::ScalarType> compute_;
  mutable std::optional<double> at_once_;
  struct Step {
    std::vector<models::TranslationBatch> batches;
    double targets = 0;  ///< words to predict
  };
  Step make_step(int64_t step) const;
  Step step_;  ///< the current one
  std::optional<data::Prefetch<Step>> steps_;
};

}  // namespace sst::tasks
