#include "tasks/multiple_choice.hpp"

#include <cmath>

#include "core/error.hpp"
#include "models/registry.hpp"
#include "tests/support/byte_tokenizer.hpp"
#include "tests/support/catch.hpp"

namespace sst::tasks {
namespace {

/// A model that gives token i the probability i / 10 whatever it reads: i = 1 … 4. Its last norm ignores its input and
/// gives (1, 0, …), and the token embedding holds the logarithms.
std::shared_ptr<models::LanguageModel> fixed_model(int64_t positions = 8) {
  models::LanguageModelOptions options;
  options.family = "gpt2";
  options.hidden_size = 4;
  options.num_layers = 1;
  options.num_heads = 1;
  options.max_positions = positions;
  const auto model = models::make_language_model(models::resolved(options, 5), {.seed = 1, .tensors = torch::kFloat64});
  const torch::NoGradGuard no_grad;
  auto parameters = model->named_parameters();
  parameters["transformer.ln_f.weight"].zero_();
  parameters["transformer.ln_f.bias"].copy_(torch::tensor({1.0, 0.0, 0.0, 0.0}, torch::kFloat64));
  for (int64_t i = 0; i < 5; ++i) parameters["transformer.wte.weight"][i][0] = i == 0 ? -1e9 : std::log(0.1 * i);
  return model;
}

text::ChoiceExample example(int64_t label, std::vector<std::vector<int32_t>> completions,
                            std::vector<int32_t> context = {1, 2}) {
  return {.index = 0, .label = label, .context = std::move(context), .completions = std::move(completions)};
}

}  // namespace

TEST_CASE("completions are scored by the sum and by the mean of their tokens' log-probabilities", "[tasks]") {
  const auto model = fixed_model();
  const auto question = example(0, {{2}, {4, 4}, {1, 3, 4}});
  const auto sums = completion_log_probabilities(*model, question, std::nullopt, {});
  CHECK(sums[0] == Approx(std::log(0.2)));
  CHECK(sums[1] == Approx(std::log(0.4 * 0.4)));
  CHECK(sums[2] == Approx(std::log(0.1 * 0.3 * 0.4)));

  // 0.2 > 0.16 by the sum, 0.4 > 0.2 by the mean.
  const auto result = evaluate_choices(
      *model, {question, example(1, question.completions), example(2, {{3}, {1}, {4}})}, std::nullopt, {});
  CHECK(result.examples == 3);
  CHECK(result.accuracy() == Approx(2.0 / 3));
  CHECK(result.accuracy_normalised() == Approx(2.0 / 3));
  CHECK(evaluate_choices(*model, {question}, std::nullopt, {}).accuracy_normalised() == 0);
}

TEST_CASE("a completion's score does not depend on the longer ones beside it", "[tasks]") {
  models::LanguageModelOptions options;
  options.family = "llama";
  options.hidden_size = 8;
  options.num_layers = 2;
  options.num_heads = 2;
  options.max_positions = 16;
  const auto model =
      models::make_language_model(models::resolved(options, 20), {.seed = 4, .tensors = torch::kFloat64});
  const std::vector<std::vector<int32_t>> completions = {{7}, {3, 9, 11, 2}, {5, 6}};
  const auto together = completion_log_probabilities(*model, example(0, completions), std::nullopt, {});
  for (size_t i = 0; i < completions.size(); ++i)
    CHECK(completion_log_probabilities(*model, example(0, {completions[i]}), std::nullopt, {})[0] ==
          Approx(together[i]));
}

TEST_CASE("contexts are shortened to fit, empty ones need a token before the text", "[tasks]") {
  const auto model = fixed_model(4);
  const auto result = evaluate_choices(*model, {example(0, {{4, 4}, {1}}, {1, 2, 3, 1, 2, 3})}, std::nullopt, {});
  CHECK((result.shortened == 1 && result.correct == 1));
  CHECK_THROWS_WITH(completion_log_probabilities(*model, example(0, {{2}}, {}), std::nullopt, {}),
                    ContainsSubstring("behind a context of 0"));
  CHECK(completion_log_probabilities(*model, example(0, {{2}}, {}), 1, {})[0] == Approx(std::log(0.2)));
  CHECK_THROWS_AS(completion_log_probabilities(*model, example(0, {{1, 1, 1, 1, 1}}), std::nullopt, {}), DataError);
}

TEST_CASE("questions of another tokenizer are refused", "[tasks]") {
  const testing::ByteTokenizer bytes;
  const auto questions = std::vector{example(0, {{'a'}, {'b', 'c'}}, {'d', ' ', 'e'})};
  CHECK_NOTHROW(require_choices_fit(questions, bytes, "q.bin"));
  CHECK_THROWS_WITH(require_choices_fit({example(0, {{'a'}, {300}})}, bytes, "q.bin"),
                    ContainsSubstring("'q.bin', example 0: id 300 is none of the tokenizer's 257 ids"));
  // The separator stands for no text, and a NUL cannot be expressed.
  CHECK_THROWS_WITH(require_choices_fit({example(0, {{256}, {0}}, {'a'})}, bytes, "q.bin"),
                    ContainsSubstring("only 1 of its 3 texts come back"));
  CHECK_THROWS_AS(require_choices_fit({}, bytes, "q.bin"), DataError);
}

}  // namespace sst::tasks
