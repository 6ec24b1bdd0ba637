#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/language_data.hpp"
#include "data/prefetch.hpp"
#include "models/language_model.hpp"
#include "tasks/kept_activations.hpp"
#include "tasks/language_recipe.hpp"
#include "tasks/task.hpp"

namespace sst::tasks {

/// Language modelling: predict the next token of packed text. A step's sequences are a fixed list, a pure function of
/// (seed, step); micro-batches only slice it, so that they change nothing but memory and speed.
class LanguageModeling final : public Task {
 public:
  /// Opens the tokenizer; the data are opened when they are first asked for, so that a trained model is usable without.
  explicit LanguageModeling(LanguageRecipe recipe);
  /// Without any text: it builds its model and tells what a step takes.
  LanguageModeling(LanguageRecipe recipe, const models::LanguageModelConfig& config)
      : recipe_(std::move(recipe)), config_(config) {}

  Workload workload() const override;
  void build(const nn::Build& build) override;
  bool can_share() const override { return true; }
  torch::nn::Module& model() override { return *model_; }
  std::vector<std::string> splits() const override { return {"valid"}; }

  StepShape step_shape(int64_t step) override;
  nn::LossSum loss(const nn::Pass& pass, int64_t part) override;
  data::TokenBatch part_of_step(int64_t part) const;  ///< what this process computes of a part of the step at hand
  bool can_be_recorded() const override { return true; }
  void load(int64_t part) override;
  nn::LossSum loss_of_loaded(const nn::Pass& pass) override;
  /// "loss" in nats per token, "ppl_token", and of the text behind the tokens, where its size is known, "bits_per_byte"
  /// and "ppl_word" = exp(nats of the split / its words); the latter only where all of the split is evaluated.
  Evaluated evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) override;

  /// Nats over the targets of a batch, with a graph while gradients are enabled. `count`: of its targets, where known.
  nn::LossSum loss_of(const data::TokenBatch& batch, const nn::Pass& pass, std::optional<double> count = {}) const;
  /// The same over the first `sequences` of a data set, in order, without a graph.
  nn::LossSum loss_over(
      const data::TokenDataset& dataset, int64_t sequences, const nn::Pass& pass,
      const BetweenBatches& between = [] {});

  std::vector<std::pair<std::string, std::string>> facts() const override;
  std::string data_sha256() const override { return data().sha256; }
  double step_bytes(double gradients) const override;
  double flops_beside_maps() const override;
  bool recomputes_blocks() const override { return recipe_.step.recompute == "blocks"; }
  void set_memory_budget(double bytes, const nn::Pass& pass) override {
    memory_budget_ = bytes;
    compute_ = pass.compute;
  }
  int64_t chosen_micro_batch() const override { return recipe_.step.micro_batch.value ? 0 : micro_batch(); }
  void keep_micro_batch(int64_t samples) override;

  models::LanguageModel& language_model() { return *model_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  /// Ids that stand in front of every text: OPT's `</s>`.
  std::vector<int32_t> text_start() const;
  /// Name in a Hugging Face folder → file, for what the tokenizer was read from.
  std::map<std::string, std::filesystem::path> tokenizer_files() const override;

 private:
  const data::LanguageData& data() const;
  int64_t micro_batch() const;  ///< sequences that this process computes at a time
  int64_t together() const { return micro_batch() * group().size(); }
  const KeptActivations& kept() const;
  int64_t measured_tokens() const;
  /// With sequences of so many tokens. `as_it_trains` false: in the place of another device.
  KeptActivations measured(int64_t tokens, bool as_it_trains) const;
  KeptActivations by_blocks() const;
  double bytes_at_once(int64_t sequences) const;
  double step_bytes(double gradients, int64_t sequences) const;

  LanguageRecipe recipe_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  models::LanguageModelConfig config_;
  mutable std::optional<data::LanguageData> data_;
  mutable int64_t micro_batch_ = 0;
  mutable std::optional<KeptActivations> kept_;
  std::optional<double> memory_budget_;
  std::optional<torch::ScalarType> compute_;
  std::shared_ptr<models::LanguageModel> model_;
  torch::Device device_ = torch::kCPU;
  struct Step {
    data::TokenBatch batch;  ///< all its sequences
    double targets = 0;
  };
  Step make_step(int64_t step) const;
  /// Of this process's sequences of a part, among those of the step.
  int64_t first_row(int64_t part) const { return part * together() + group().rank() * micro_batch(); }
  nn::Pass pass_of_part(const nn::Pass& pass, int64_t part) const;
  Step step_;                ///< the current one
  data::TokenBatch loaded_;  ///< what load() fills
  std::optional<data::Prefetch<Step>> steps_;
};

}  // namespace sst::tasks
