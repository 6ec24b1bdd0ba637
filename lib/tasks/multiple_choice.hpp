#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "models/language_model.hpp"
#include "text/token_file.hpp"
#include "text/tokenizer.hpp"

namespace sst::tasks {

/// Questions that a language model answers by the log-probability of each completion after the context.
struct ChoiceResult {
  int64_t examples = 0;
  int64_t correct = 0;             ///< the right completion has the largest sum of log-probabilities
  int64_t correct_normalised = 0;  ///< … the largest mean over its tokens
  int64_t shortened = 0;           ///< examples whose context lost tokens at its start to fit into the model

  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(examples); }
  double accuracy_normalised() const { return static_cast<double>(correct_normalised) / static_cast<double>(examples); }
};

/// Σ log p(token | context, tokens before it) of each completion, in nats; the first of equal ones counts as chosen.
///   before   stands before an empty context, so that the first token of a completion has something to follow
///   throws   DataError when there is nothing before the first token, or a completion is longer than the model's text
std::vector<double> completion_log_probabilities(models::LanguageModel& model, const text::ChoiceExample& example,
                                                 std::optional<int64_t> before, const nn::Pass& pass);

/// Called after every example with how many are done; what it throws ends the evaluation.
using ChoiceProgress = std::function<void(const ChoiceResult&)>;

///   source   llm.c, evalloader in llmc/dataloader.h: its accuracy is accuracy_normalised() here
ChoiceResult evaluate_choices(models::LanguageModel& model, const std::vector<text::ChoiceExample>& examples,
                              std::optional<int64_t> before, const nn::Pass& pass, const ChoiceProgress& progress = {});

/// Refuses questions that another tokenizer cut. The file does not say which one did, so: every id must be one of the
/// tokenizer's, and of the texts that the ids stand for at least half must be cut into the same ids again.
///   throws   DataError with file, example and id, or with how many texts come back
void require_choices_fit(const std::vector<text::ChoiceExample>& examples, const text::Tokenizer& tokenizer,
                         const std::filesystem::path& path);

}  // namespace sst::tasks
