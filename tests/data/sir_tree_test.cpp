#include "data/sir_tree.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "data/splits.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/graph_tasks.hpp"

using sst::data::Edge;
using sst::data::edge_split;
using sst::data::EdgeSplit;
using sst::data::Graph;
using sst::data::GraphDataOptions;
using sst::data::GraphTask;
using sst::data::make_sir_tree;
using sst::data::node_split;
using sst::data::NodeSplit;
using sst::data::overlap_of;
using sst::testing::kLinks;
using sst::testing::kNodes;

namespace {

std::vector<int64_t> children_of(const Graph& tree) {
  std::vector<int64_t> children(static_cast<size_t>(tree.nodes));
  for (const auto& [parent, child] : tree.edges) ++children[static_cast<size_t>(parent)];
  return children;
}

}  // namespace

TEST_CASE("the made graph is a tree in breadth-first order", "[data]") {
  const auto task = GENERATE(kNodes, kLinks);
  const Graph tree = make_sir_tree(700, 1234, task);
  REQUIRE(tree.edges.size() == 699);
  CHECK(std::is_sorted(tree.edges.begin(), tree.edges.end()));
  for (size_t i = 0; i < tree.edges.size(); ++i) {
    CHECK(tree.edges[i].second == static_cast<int64_t>(i + 1));  // every node but the root has one parent …
    CHECK(tree.edges[i].first < tree.edges[i].second);           // … that comes before it
  }
  auto children = children_of(tree);
  const int64_t last_parent = tree.edges.back().first;
  children.resize(static_cast<size_t>(last_parent));  // the last family may be cut short
  const auto [fewest, most] = std::minmax_element(children.begin(), children.end());
  CHECK(*fewest == (task == kNodes ? 2 : 1));
  CHECK(*most == (task == kNodes ? 6 : 11));
}

TEST_CASE("an epidemic leaves both classes and infects families", "[data]") {
  for (const uint64_t seed : {1, 2, 3, 1234}) {
    CAPTURE(seed);
    const Graph tree = make_sir_tree(1044, seed, kNodes);
    const double infected = static_cast<double>(std::accumulate(tree.labels.begin(), tree.labels.end(), int64_t{0}));
    CHECK(infected / 1044 > 0.15);
    CHECK(infected / 1044 < 0.5);
    int64_t infected_pairs = 0;
    for (const auto& [u, v] : tree.edges)
      infected_pairs += tree.labels[static_cast<size_t>(u)] * tree.labels[static_cast<size_t>(v)];
    // If neighbours were infected independently, a pair would be with the square of the share.
    CHECK(static_cast<double>(infected_pairs) / 1043 > 1.5 * (infected / 1044) * (infected / 1044));
  }
}

TEST_CASE("risk factors of the infected are higher and those of kin alike", "[data]") {
  const Graph tree = make_sir_tree(2000, 1234, kLinks);
  const torch::Tensor features = tree.dense_features.to(torch::kFloat64);
  REQUIRE(features.sizes() == torch::IntArrayRef({2000, 11}));
  CHECK(features.min().item<double>() == 0);
  CHECK(torch::equal(features.select(1, 10), torch::ones({2000}, torch::kFloat64)));
  const torch::Tensor infected = torch::tensor(tree.labels).to(torch::kBool);
  const torch::Tensor risk = features.slice(1, 0, 4).sum(1);
  CHECK(risk.index({infected}).mean().item<double>() > risk.index({~infected}).mean().item<double>() + 0.3);

  double kin = 0, strangers = 0;
  for (const auto& [u, v] : tree.edges) {
    kin += (features[u] - features[v]).square().sum().item<double>();
    strangers += (features[u] - features[(v * 7 + 911) % 2000]).square().sum().item<double>();
  }
  CHECK(kin < 0.5 * strangers);
}

TEST_CASE("the made graph depends on the seed and on the task", "[data]") {
  CHECK(make_sir_tree(300, 5, kNodes).sha256 == make_sir_tree(300, 5, kNodes).sha256);
  CHECK(make_sir_tree(300, 5, kNodes).sha256 != make_sir_tree(300, 6, kNodes).sha256);
  CHECK(make_sir_tree(300, 5, kNodes).sha256 != make_sir_tree(300, 5, kLinks).sha256);
}

TEST_CASE("the made graph is the one of the decision record", "[data][golden]") {
  CHECK(make_sir_tree(1044, 1234, kNodes).sha256 == "6a0e9e4bc5360aa67e5a5f8ef4cfbc053519e6550c2e84eba5b246332f185058");
}

TEST_CASE("the smallest tree has two nodes and one edge", "[data]") {
  CHECK(make_sir_tree(2, 1, kNodes).edges == std::vector<Edge>{{0, 1}});
  CHECK_THROWS_AS(make_sir_tree(1, 1, kNodes), std::logic_error);
}

TEST_CASE("the default tree can be split for both tasks", "[data]") {
  const GraphDataOptions options{.format = "sir_tree"};
  const NodeSplit nodes = node_split(make_sir_tree(1044, 1234, kNodes), options);
  CHECK_FALSE(overlap_of(nodes).any());
  CHECK(nodes.train.size() + nodes.valid.size() + nodes.test.size() == 1044);
  const EdgeSplit edges = edge_split(make_sir_tree(1044, 1234, kLinks), options);
  CHECK(edges.valid.size() == 52);
  CHECK(edges.test.size() == 104);
}
