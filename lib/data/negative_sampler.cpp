#include "data/negative_sampler.hpp"

#include "core/seeds.hpp"

namespace sst::data {

NegativeSampler::NegativeSampler(const Graph& graph, const EdgeSplit& split)
    : non_edges_(graph.nodes, graph.edges), held_out_(split.valid) {
  held_out_.insert(held_out_.end(), split.test.begin(), split.test.end());
}

torch::Tensor NegativeSampler::draw(uint64_t seed, int64_t epoch, int64_t pairs) const {
  torch::Tensor drawn = torch::empty({2, pairs}, torch::kInt64);
  auto* const u = drawn.data_ptr<int64_t>();
  auto* const v = u + pairs;
  CounterRng rng(seed, Stream::kNegatives, static_cast<uint64_t>(epoch));
  for (int64_t i = 0; i < pairs; ++i) {
    const auto number = static_cast<int64_t>(rng.below(static_cast<uint64_t>(pool_size())));
    const Edge pair = number < non_edges_.count() ? non_edges_.at(number)
                                                  : held_out_[static_cast<size_t>(number - non_edges_.count())];
    u[i] = pair.first;
    v[i] = pair.second;
  }
  return drawn;
}

torch::Tensor pair_index(const std::vector<Edge>& pairs) {
  const auto count = static_cast<int64_t>(pairs.size());
  torch::Tensor index = torch::empty({2, count}, torch::kInt64);
  auto* const u = index.data_ptr<int64_t>();
  for (size_t i = 0; i < pairs.size(); ++i) {
    u[i] = pairs[i].first;
    u[i + pairs.size()] = pairs[i].second;
  }
  return index;
}

}  // namespace sst::data
