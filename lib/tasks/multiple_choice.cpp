#include "tasks/multiple_choice.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace sst::tasks {
namespace {

/// One completion behind its context: what the model reads, and which of its outputs predict the completion.
struct ChoiceRow {
  std::vector<int64_t> ids;  ///< context and completion but for its last token
  int64_t first = 0;         ///< the output that predicts the completion's first token
};

size_t dropped_from_context(const text::ChoiceExample& example, size_t completion, int64_t positions) {
  const auto length = static_cast<int64_t>(example.context.size() + example.completions[completion].size()) - 1;
  return static_cast<size_t>(std::max<int64_t>(0, length - positions));
}

ChoiceRow choice_row(const text::ChoiceExample& example, size_t completion, std::optional<int64_t> before,
                     int64_t positions) {
  const auto& tokens = example.completions[completion];
  const size_t dropped = dropped_from_context(example, completion, positions);
  ChoiceRow row;
  if (dropped < example.context.size())
    row.ids.assign(example.context.begin() + static_cast<ptrdiff_t>(dropped), example.context.end());
  else if (dropped == 0 && before)
    row.ids = {*before};
  if (row.ids.empty() || tokens.empty() || static_cast<int64_t>(row.ids.size() + tokens.size()) - 1 > positions)
    throw DataError(
        fmt::format("example {}: its completion {} has {} tokens behind a context of {}, which the model's {} "
                    "positions cannot score",
                    example.index, completion, tokens.size(), example.context.size(), positions),
        "a completion needs a token, one before it, and room");
  row.first = static_cast<int64_t>(row.ids.size()) - 1;
  row.ids.insert(row.ids.end(), tokens.begin(), tokens.end() - 1);
  return row;
}

bool comes_back(const text::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<int32_t> again;
  try {
    tokenizer.encode(tokenizer.decode(ids), again);
  } catch (const DataError&) {
    return false;  // not even a text
  }
  return again == ids;
}

}  // namespace

std::vector<double> completion_log_probabilities(models::LanguageModel& model, const text::ChoiceExample& example,
                                                 std::optional<int64_t> before, const nn::Pass& pass) {
  const torch::NoGradGuard no_grad;
  std::vector<ChoiceRow> rows;
  size_t longest = 0;
  for (size_t i = 0; i < example.completions.size(); ++i) {
    rows.push_back(choice_row(example, i, before, model.config().max_positions));
    longest = std::max(longest, rows.back().ids.size());
  }
  // Rows are filled up on the right, where nothing that counts looks.
  const auto count = static_cast<int64_t>(rows.size());
  const torch::Tensor ids = torch::zeros({count, static_cast<int64_t>(longest)}, torch::kInt64);
  for (int64_t i = 0; i < count; ++i) {
    const auto& row = rows[static_cast<size_t>(i)].ids;
    std::copy(row.begin(), row.end(), ids[i].data_ptr<int64_t>());
  }
  const torch::Device device = model.parameters().front().device();
  const torch::Tensor hidden = model.hidden(ids.to(device), pass);  // [completions, time, dim]
  std::vector<double> sums;
  for (int64_t i = 0; i < count; ++i) {
    const auto& tokens = example.completions[static_cast<size_t>(i)];
    const auto length = static_cast<int64_t>(tokens.size());
    const torch::Tensor logits = model.logits(hidden[i].narrow(0, rows[static_cast<size_t>(i)].first, length), pass);
    const torch::Tensor targets = torch::tensor(std::vector<int64_t>(tokens.begin(), tokens.end())).to(device);
    const torch::Tensor log_p = torch::log_softmax(logits, 1, torch::kFloat64);  // [tokens, vocabulary]
    sums.push_back(log_p.gather(1, targets.unsqueeze(1)).sum().item<double>());
  }
  return sums;
}

ChoiceResult evaluate_choices(models::LanguageModel& model, const std::vector<text::ChoiceExample>& examples,
                              std::optional<int64_t> before, const nn::Pass& pass, const ChoiceProgress& progress) {
  ChoiceResult result;
  for (const text::ChoiceExample& example : examples) {
    const auto sums = completion_log_probabilities(model, example, before, pass);
    std::vector<double> means;
    bool shortened = false;
    for (size_t i = 0; i < sums.size(); ++i) {
      means.push_back(sums[i] / static_cast<double>(example.completions[i].size()));
      shortened |= dropped_from_context(example, i, model.config().max_positions) > 0;
    }
    const auto chosen = [](const std::vector<double>& scores) {
      return std::max_element(scores.begin(), scores.end()) - scores.begin();
    };
    ++result.examples;
    result.correct += chosen(sums) == example.label ? 1 : 0;
    result.correct_normalised += chosen(means) == example.label ? 1 : 0;
    result.shortened += shortened ? 1 : 0;
    if (progress) progress(result);
  }
  return result;
}

void require_choices_fit(const std::vector<text::ChoiceExample>& examples, const text::Tokenizer& tokenizer,
                         const std::filesystem::path& path) {
  const char* hint =
      "llm.c's files hold GPT-2's ids: they fit models with tokenizer.type: gpt2_bpe and GPT-2's own files";
  int64_t texts = 0, same = 0;
  for (size_t number = 0; number < examples.size(); ++number) {
    const auto check = [&](const std::vector<int32_t>& ids) {
      for (const int32_t id : ids)
        if (id >= tokenizer.size())
          throw DataError(fmt::format("'{}', example {}: id {} is none of the tokenizer's {} ids", path.string(),
                                      number, id, tokenizer.size()),
                          hint);
      ++texts;
      same += comes_back(tokenizer, ids) ? 1 : 0;
    };
    check(examples[number].context);
    for (const auto& completion : examples[number].completions) check(completion);
  }
  if (texts == 0) throw DataError("'" + path.string() + "' holds no example");
  if (2 * same < texts)
    throw DataError(fmt::format("'{}' was cut by another tokenizer: only {} of its {} texts come back as the same ids",
                                path.string(), same, texts),
                    hint);
}

}  // namespace sst::tasks
