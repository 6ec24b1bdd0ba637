#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "models/language_model.hpp"

namespace sst::models {

/// How the next token is chosen from the model's scores: greedily at temperature 0, else drawn after the cuts.
struct SamplingOptions {
  double temperature = 1;
  std::optional<int64_t> top_k;  ///< only the k likeliest
  std::optional<double> top_p;   ///< only the likeliest whose probabilities together reach p (nucleus sampling)
  uint64_t seed = 1;
};

/// One token from scores [vocabulary]; `position` keys the draw, so that a text does not depend on how it was batched.
///   source    temperature, top-k (Fan et al. 2018) and top-p (Holtzman et al. 2020), in that order, as Hugging Face has it
int64_t sample_token(const torch::Tensor& scores, const SamplingOptions& options, uint64_t sample, int64_t position);

/// Continues `prompt` (at least one token) by up to `most` tokens, each computed from the cached keys and values of those
/// before it. Ends early behind `end`, or when the model's positions are used up.
///   sample    number of the text among several from one prompt
///   returns   the new tokens, `end` included
std::vector<int64_t> generate(LanguageModel& model, const std::vector<int64_t>& prompt, int64_t most,
                              const SamplingOptions& options, uint64_t sample = 0, std::optional<int64_t> end = {},
                              const nn::Pass& pass = {});

}  // namespace sst::models
