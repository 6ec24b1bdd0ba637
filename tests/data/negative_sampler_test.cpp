#include "data/negative_sampler.hpp"

#include <algorithm>
#include <map>

#include "data/splits.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/reference_case.hpp"

using sst::data::Edge;
using sst::data::EdgeSplit;
using sst::data::Graph;
using sst::data::NegativeSampler;
using sst::data::pair_index;
using sst::data::published_edge_split;

namespace {

/// A ring of six nodes; edges (0,1) and (2,3) are held out.
Graph ring() {
  Graph graph;
  graph.nodes = 6;
  graph.edges = {{0, 1}, {0, 5}, {1, 2}, {2, 3}, {3, 4}, {4, 5}};
  return graph;
}
EdgeSplit ring_split() {
  EdgeSplit split;
  split.train = {{0, 5}, {1, 2}, {3, 4}, {4, 5}};
  split.valid = {{0, 1}};
  split.test = {{2, 3}};
  return split;
}

}  // namespace

TEST_CASE("negatives are drawn evenly from the non-edges and the held-out edges", "[data]") {
  const NegativeSampler sampler(ring(), ring_split());
  REQUIRE(sampler.pool_size() == 21 - 6 + 2);
  constexpr int64_t kPairs = 17'000;
  const torch::Tensor drawn = sampler.draw(3, 0, kPairs);
  std::map<Edge, int64_t> counts;
  const auto entry = drawn.accessor<int64_t, 2>();
  for (int64_t i = 0; i < kPairs; ++i) ++counts[{entry[0][i], entry[1][i]}];
  CHECK(counts.size() == 17);
  for (const Edge& training : ring_split().train) CHECK_FALSE(counts.contains(training));
  CHECK(counts.contains(Edge{0, 1}));
  CHECK(counts.contains(Edge{2, 3}));
  CHECK(counts.contains(Edge{4, 4}));
  for (const auto& [pair, count] : counts) {
    CAPTURE(pair.first, pair.second);
    CHECK(std::abs(count - 1000) < 5 * 31);  // five standard deviations of a binomial with mean 1000
  }
}

TEST_CASE("negatives depend on the seed and the epoch and on nothing drawn before", "[data]") {
  const NegativeSampler sampler(ring(), ring_split());
  const torch::Tensor first = sampler.draw(1, 7, 50);
  sampler.draw(1, 8, 50);
  CHECK(torch::equal(sampler.draw(1, 7, 50), first));
  CHECK_FALSE(torch::equal(sampler.draw(1, 8, 50), first));
  CHECK_FALSE(torch::equal(sampler.draw(2, 7, 50), first));
}

TEST_CASE("the pool of negatives is as large as the published one", "[data]") {
  const auto reference = sst::testing::reference_case("lp_split");
  if (!reference) return;
  Graph graph;
  graph.nodes = 12;
  for (const auto& pair : reference->at("inputs").at("edges"))
    graph.edges.push_back(std::minmax(pair.at(0).get<int64_t>(), pair.at(1).get<int64_t>()));
  std::sort(graph.edges.begin(), graph.edges.end());
  const EdgeSplit split = published_edge_split(12, graph.edges, {.valid = 0.1, .test = 0.2}, 1234);
  CHECK(NegativeSampler(graph, split).pool_size() == reference->at("outputs").at("train_neg_count").get<int64_t>());
}

TEST_CASE("a list of pairs becomes two rows of indices", "[data]") {
  CHECK(torch::equal(pair_index({{1, 2}, {3, 4}, {5, 6}}), torch::tensor({{1, 3, 5}, {2, 4, 6}}, torch::kInt64)));
  CHECK(pair_index({}).sizes() == torch::IntArrayRef({2, 0}));
}
