#include "models/generate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace sst::models {
namespace {

/// Token and unnormalised probability, likeliest first; ties by token, so that equal scores give equal texts everywhere.
struct Candidate {
  int64_t token;
  double weight;
};

std::vector<Candidate> candidates_of(const torch::Tensor& scores, double temperature) {
  const torch::Tensor wide = scores.to(torch::kCPU, torch::kFloat64).contiguous();
  const double* values = wide.const_data_ptr<double>();
  const double largest = *std::max_element(values, values + wide.numel());
  std::vector<Candidate> all;
  for (int64_t i = 0; i < wide.numel(); ++i) all.push_back({i, std::exp((values[i] - largest) / temperature)});
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; });
  return all;
}

double total_of(const std::vector<Candidate>& candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                         [](double sum, const Candidate& c) { return sum + c.weight; });
}

/// The shortest head that holds at least the share p.
void keep_nucleus(std::vector<Candidate>& candidates, double p) {
  const double wanted = p * total_of(candidates);
  double sum = 0;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || sum < wanted)) sum += candidates[kept++].weight;
  candidates.resize(kept);
}

}  // namespace

int64_t sample_token(const torch::Tensor& scores, const SamplingOptions& options, uint64_t sample, int64_t position) {
  if (options.temperature == 0) return scores.argmax().item<int64_t>();
  auto candidates = candidates_of(scores, options.temperature);
  if (options.top_k) candidates.resize(std::min(candidates.size(), static_cast<size_t>(*options.top_k)));
  if (options.top_p) keep_nucleus(candidates, *options.top_p);
  CounterRng rng(options.seed, Stream::kDecode, combine(sample, static_cast<uint64_t>(position)));
  double left = rng.uniform() * total_of(candidates);
  for (const Candidate& candidate : candidates)
    if ((left -= candidate.weight) < 0) return candidate.token;
  return candidates.back().token;
}

std::vector<int64_t> generate(LanguageModel& model, const std::vector<int64_t>& prompt, int64_t most,
                              const SamplingOptions& options, uint64_t sample, std::optional<int64_t> end,
                              const nn::Pass& pass) {
  require(!prompt.empty(), "generate needs a first token");
  const torch::NoGradGuard no_grad;
  const int64_t room = model.config().max_positions - static_cast<int64_t>(prompt.size());
  if (room < 1)
    throw UserError("the prompt has " + std::to_string(prompt.size()) + " tokens, but the model has " +
                        std::to_string(model.config().max_positions) + " positions",
                    "shorten the prompt");
  nn::KeyValueCache cache;
  const torch::Device device = model.parameters().front().device();
  std::vector<int64_t> next = prompt, text;
  for (int64_t i = 0; i < std::min(most, room); ++i) {
    const torch::Tensor ids = torch::tensor(next, torch::kInt64).to(device).unsqueeze(0);  // [1, time]
    const torch::Tensor hidden = model.hidden(ids, pass, &cache).select(1, -1);            // [1, dim]
    const int64_t token = sample_token(model.logits(hidden, pass).view({-1}), options, sample, i);
    text.push_back(token);
    if (end && token == *end) break;
    next = {token};
  }
  return text;
}

}  // namespace sst::models
