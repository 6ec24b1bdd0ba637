#include "data/sir_tree.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/seeds.hpp"

namespace sst::data {
namespace {

constexpr size_t kFactors = 10;
constexpr size_t kRiskFactors = 4;        // the first ones decide how easily a node is infected
constexpr int64_t kLevels = 5;            // levels 0 … 4
constexpr uint64_t kInheritPercent = 70;  // a child has its parent's level, else a fresh one
constexpr uint64_t kMistakePercent = 5;   // the observed level is a fresh one instead
constexpr int64_t kImmuneRisk = 7;        // sum of the risk levels, 0 … 16: up to here a contact never infects,
constexpr int64_t kCertainRisk = 10;      // from here it always does, linear in between
constexpr int64_t kNodesPerIndexCase = 25;
constexpr uint64_t kRecoverOneIn = 3;  // chance per time step, after the step's contacts

using Levels = std::array<int64_t, kFactors>;

/// Each part draws from a generator of its own, so that a change to one leaves the others as they are.
CounterRng rng_for(uint64_t seed, GraphTask task, const std::string& part) {
  const std::string flavour = task == GraphTask::kLinkPrediction ? "lp." : "nc.";
  return CounterRng(seed, Stream::kData, name_index("sir_tree." + flavour + part));
}

/// Parents of nodes 1, 2, …; entry 0 is unused. Nodes are numbered breadth first.
std::vector<int64_t> grow_tree(int64_t nodes, GraphTask task, CounterRng rng) {
  const bool links = task == GraphTask::kLinkPrediction;
  const uint64_t fewest = links ? 1 : 2, most = links ? 11 : 6;
  std::vector<int64_t> parents{0};
  for (int64_t parent = 0; static_cast<int64_t>(parents.size()) < nodes; ++parent) {
    const auto children = static_cast<int64_t>(fewest + rng.below(most - fewest + 1));
    const int64_t left = nodes - static_cast<int64_t>(parents.size());
    parents.insert(parents.end(), static_cast<size_t>(std::min(children, left)), parent);
  }
  return parents;
}

int64_t fresh_level(CounterRng& rng) { return static_cast<int64_t>(rng.below(kLevels)); }

std::vector<Levels> inherit_factors(const std::vector<int64_t>& parents, CounterRng rng) {
  std::vector<Levels> factors(parents.size());
  for (size_t node = 0; node < parents.size(); ++node)
    for (size_t k = 0; k < kFactors; ++k) {
      const bool inherits = node > 0 && rng.below(100) < kInheritPercent;
      factors[node][k] = inherits ? factors[static_cast<size_t>(parents[node])][k] : fresh_level(rng);
    }
  return factors;
}

/// Susceptible, infected, recovered in steps of time until nobody is infected. Returns who ever was.
std::vector<int64_t> spread(const std::vector<std::vector<size_t>>& neighbours, const std::vector<Levels>& factors,
                            CounterRng rng) {
  std::vector<int64_t> ever(neighbours.size());
  std::vector<size_t> infected(neighbours.size());
  std::iota(infected.begin(), infected.end(), size_t{0});
  const size_t index_cases = std::max<size_t>(1, neighbours.size() / kNodesPerIndexCase);
  for (size_t i = 0; i < index_cases; ++i) {
    std::swap(infected[i], infected[i + rng.below(infected.size() - i)]);
    ever[infected[i]] = 1;
  }
  infected.resize(index_cases);

  while (!infected.empty()) {
    std::vector<size_t> next;
    for (const size_t source : infected)
      for (const size_t contact : neighbours[source]) {
        if (ever[contact]) continue;
        const Levels& levels = factors[contact];
        const int64_t risk = std::accumulate(levels.begin(), levels.begin() + kRiskFactors, int64_t{0});
        if (kImmuneRisk + static_cast<int64_t>(rng.below(kCertainRisk - kImmuneRisk)) >= risk) continue;
        ever[contact] = 1;
        next.push_back(contact);
      }
    for (const size_t source : infected)
      if (rng.below(kRecoverOneIn) != 0) next.push_back(source);
    infected = std::move(next);
  }
  return ever;
}

torch::Tensor observe(const std::vector<Levels>& factors, CounterRng rng) {
  torch::Tensor features = torch::ones({static_cast<int64_t>(factors.size()), kFactors + 1}, torch::kFloat32);
  auto* entry = features.data_ptr<float>();
  for (const Levels& levels : factors) {
    for (const int64_t level : levels) {
      const int64_t observed = rng.below(100) < kMistakePercent ? fresh_level(rng) : level;
      *entry++ = static_cast<float>(observed) / static_cast<float>(kLevels - 1);  // a multiple of ¼, exact
    }
    ++entry;  // the constant: after row normalisation it still tells how large the others were together
  }
  return features;
}

std::string hash_of(const Graph& graph) {
  std::string text;
  for (const auto& [u, v] : graph.edges) text += std::to_string(u) + " " + std::to_string(v) + "\n";
  for (const int64_t label : graph.labels) text += std::to_string(label) + "\n";
  const auto* const value = graph.dense_features.data_ptr<float>();
  for (int64_t i = 0; i < graph.dense_features.numel(); ++i)
    text += std::to_string(static_cast<int64_t>(value[i] * (kLevels - 1))) + "\n";
  return sha256_hex(text);
}

}  // namespace

Graph make_sir_tree(int64_t nodes, uint64_t split_seed, GraphTask task) {
  require(nodes >= 2, "make_sir_tree: a tree needs at least 2 nodes");
  const auto parents = grow_tree(nodes, task, rng_for(split_seed, task, "tree"));
  const auto factors = inherit_factors(parents, rng_for(split_seed, task, "factors"));

  Graph graph;
  graph.name = "sir_tree";
  graph.nodes = nodes;
  graph.classes = 2;
  std::vector<std::vector<size_t>> neighbours(parents.size());
  for (size_t node = 1; node < parents.size(); ++node) {
    const auto parent = static_cast<size_t>(parents[node]);
    neighbours[node].push_back(parent);
    neighbours[parent].push_back(node);
    graph.edges.emplace_back(parents[node], static_cast<int64_t>(node));  // ascending: breadth first
  }
  graph.labels = spread(neighbours, factors, rng_for(split_seed, task, "epidemic"));
  graph.dense_features = observe(factors, rng_for(split_seed, task, "observation"));
  graph.feature_count = graph.dense_features.size(1);
  graph.sha256 = hash_of(graph);
  return graph;
}

}  // namespace sst::data
