#include "data/splits.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "core/error.hpp"
#include "data/integer_file.hpp"
#include "data/non_edges.hpp"
#include "data/npy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/reference_case.hpp"

using sst::data::clean_node_split;
using sst::data::Edge;
using sst::data::EdgeSplit;
using sst::data::Graph;
using sst::data::GraphDataOptions;
using sst::data::node_split;
using sst::data::NodeSplit;
using sst::data::NonEdges;
using sst::data::overlap_of;
using sst::data::overlap_text;
using sst::data::published_edge_split;
using sst::data::published_node_split;
using sst::data::read_integers;
using sst::data::read_npy;
using sst::data::SplitOverlap;
using Nodes = std::vector<int64_t>;

namespace {

std::vector<Edge> as_edges(const Nodes& numbers) {
  std::vector<Edge> edges;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) edges.emplace_back(numbers[i], numbers[i + 1]);
  return edges;
}

std::vector<Edge> as_edges(const nlohmann::json& pairs) {
  std::vector<Edge> edges;
  for (const auto& pair : pairs) edges.emplace_back(pair.at(0).get<int64_t>(), pair.at(1).get<int64_t>());
  return edges;
}

std::vector<Edge> sorted_pairs(std::vector<Edge> edges) {
  for (auto& [u, v] : edges)
    if (u > v) std::swap(u, v);
  std::sort(edges.begin(), edges.end());
  return edges;
}

/// Compares the split of a data set with its published files; the edges are those of the files together.
void check_published_edges(const std::string& folder, int64_t nodes) {
  const auto splits = sst::testing::shared_file("data/graphs/" + folder + "/splits");
  if (!splits) return;
  const auto published = [&](const std::string& part) {
    return as_edges(read_integers(*splits / ("lp_seed1234_" + part + ".txt"), 2));
  };
  std::vector<Edge> edges = published("train_pos");
  for (const auto& part : {published("val_pos"), published("test_pos")})
    edges.insert(edges.end(), part.begin(), part.end());

  const auto start = std::chrono::steady_clock::now();
  const EdgeSplit split = published_edge_split(nodes, sorted_pairs(edges), {.valid = 0.05, .test = 0.10}, 1234);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  std::cout << folder << " edge split: " << taken.count() << " s\n";
  CHECK(split.train == published("train_pos"));
  CHECK(split.valid == published("val_pos"));
  CHECK(split.test == published("test_pos"));
  CHECK(split.valid_negative == published("val_neg"));
  CHECK(split.test_negative == published("test_neg"));
}

}  // namespace

TEST_CASE("nodes are split as published, for two classes and for more", "[data]") {
  const auto reference = sst::testing::reference_case("nc_split");
  if (!reference) return;
  for (const std::string kind : {"binary", "four"}) {
    CAPTURE(kind);
    const auto labels = reference->at("inputs").at("labels_" + kind).get<Nodes>();
    const NodeSplit split = published_node_split(labels, {.valid = 0.25, .test = 0.25}, 1234);
    const auto& expected = reference->at("outputs").at(kind);
    CHECK(split.train == expected.at("train").get<Nodes>());
    CHECK(split.valid == expected.at("val").get<Nodes>());
    CHECK(split.test == expected.at("test").get<Nodes>());
  }
}

TEST_CASE("the nodes of Disease are split as in the published files", "[data]") {
  const auto folder = sst::testing::shared_file("data/graphs/disease_nc");
  if (!folder) return;
  const torch::Tensor stored = read_npy(*folder / "disease_nc.labels.npy").to(torch::kInt64);
  const Nodes labels(stored.data_ptr<int64_t>(), stored.data_ptr<int64_t>() + stored.numel());
  const NodeSplit split = published_node_split(labels, {.valid = 0.10, .test = 0.60}, 1234);
  CHECK(split.train == read_integers(*folder / "splits/nc_seed1234_train.txt", 1));
  CHECK(split.valid == read_integers(*folder / "splits/nc_seed1234_val.txt", 1));
  CHECK(split.test == read_integers(*folder / "splits/nc_seed1234_test.txt", 1));
  CHECK_FALSE(overlap_of(split).any());
}

TEST_CASE("halves of a node are rounded to the even number", "[data]") {
  // Six nodes a class: 0.25 · 6 = 1.5 gives 2, and 0.75 · 6 = 4.5 gives 4.
  const Nodes labels{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  CHECK(published_node_split(labels, {.valid = 0.25, .test = 0.25}, 1).valid.size() == 4);
  CHECK(published_node_split(labels, {.valid = 0.75, .test = 0.1}, 1).valid.size() == 8);
}

TEST_CASE("a clean split keeps each node once, testing first", "[data]") {
  const NodeSplit clean = clean_node_split({.train = {5, 3, 1, 5, 0, 9}, .valid = {3, 8, 8, 2}, .test = {9, 2, 9}});
  CHECK(clean.test == Nodes{2, 9});
  CHECK(clean.valid == Nodes{3, 8});
  CHECK(clean.train == Nodes{0, 1, 5});
  CHECK_FALSE(overlap_of(clean).any());
}

TEST_CASE("the overlap counts distinct nodes", "[data]") {
  const SplitOverlap overlap = overlap_of({.train = {5, 3, 1, 5}, .valid = {3, 3, 8, 2}, .test = {9, 2, 5}});
  CHECK(overlap.train == 3);
  CHECK(overlap.valid == 3);
  CHECK(overlap.test == 3);
  CHECK(overlap.train_valid == 1);
  CHECK(overlap.train_test == 1);
  CHECK(overlap.valid_test == 1);
  CHECK(overlap_text(overlap) ==
        "1 of 3 test nodes and 1 of 3 validation nodes are also training nodes, 1 are in validation and test");
  CHECK(overlap_text({}) == "no node is in two parts");
}

TEST_CASE("a split without labels or with an empty part is refused", "[data]") {
  Graph graph;
  graph.name = "tiny";
  graph.nodes = 4;
  const GraphDataOptions options{.format = "sir_tree"};
  CHECK_THROWS_AS(node_split(graph, options), sst::DataError);
  graph.labels = {0, 0, 0, 1};
  CHECK_THROWS_WITH(node_split(graph, options), ContainsSubstring("has 2 training, 0 validation and 2 test nodes"));
}

TEST_CASE("a fixed split is taken as it is", "[data]") {
  Graph graph;
  graph.labels = {0, 1, 0, 1};
  graph.fixed_train = {0};
  graph.fixed_valid = {1};
  graph.fixed_test = {3};
  const NodeSplit split = node_split(graph, {.dataset = "cora"});
  CHECK(split.train == Nodes{0});
  CHECK(split.valid == Nodes{1});
  CHECK(split.test == Nodes{3});
}

TEST_CASE("edges are split as published", "[data]") {
  const auto reference = sst::testing::reference_case("lp_split");
  if (!reference) return;
  const auto edges = sorted_pairs(as_edges(reference->at("inputs").at("edges")));
  const EdgeSplit split = published_edge_split(12, edges, {.valid = 0.1, .test = 0.2}, 1234);
  const auto& expected = reference->at("outputs");
  CHECK(split.train == as_edges(expected.at("train")));
  CHECK(split.valid == as_edges(expected.at("val")));
  CHECK(split.test == as_edges(expected.at("test")));
  CHECK(split.valid_negative == as_edges(expected.at("val_neg")));
  CHECK(split.test_negative == as_edges(expected.at("test_neg")));
}

TEST_CASE("the edges of the published graphs are split as in their files", "[data]") {
  check_published_edges("cora", 2708);
  check_published_edges("airport", 3188);
  check_published_edges("disease_lp", 2665);
}

TEST_CASE("the edges of PubMed are split as in its files", "[data][slow]") { check_published_edges("pubmed", 19717); }

TEST_CASE("an edge split with an empty part or too many pairs is refused", "[data]") {
  const std::vector<Edge> edges{{0, 1}, {1, 2}, {2, 3}};
  CHECK_THROWS_WITH(published_edge_split(4, edges, {.valid = 0.05, .test = 0.1}, 1),
                    ContainsSubstring("gives 0 validation and 0 test edges"));
  CHECK_THROWS_AS(published_edge_split(4, edges, {.valid = 0.4, .test = 0.7}, 1), sst::UserError);
  CHECK_THROWS_WITH(published_edge_split(100'000, edges, {.valid = 0.4, .test = 0.4}, 1),
                    ContainsSubstring("too many to shuffle"));
}

TEST_CASE("the pairs without an edge are numbered row by row, diagonal included", "[data]") {
  // Row 0: 00 01 02 03, row 1: 11 12 13, row 2: 22 23, row 3: 33; edges taken out.
  const NonEdges pairs(4, {{0, 1}, {0, 2}, {1, 1}, {1, 2}, {1, 3}, {3, 3}});
  const std::vector<Edge> expected{{0, 0}, {0, 3}, {2, 2}, {2, 3}};
  REQUIRE(pairs.count() == 4);
  for (int64_t rank = 0; rank < 4; ++rank) CHECK(pairs.at(rank) == expected[static_cast<size_t>(rank)]);
  CHECK_THROWS_AS(pairs.at(4), std::logic_error);
  CHECK_THROWS_AS(pairs.at(-1), std::logic_error);
}

TEST_CASE("edges that are unsorted, reversed or out of range are refused", "[data]") {
  using Edges = std::vector<Edge>;
  CHECK_THROWS_AS(NonEdges(3, Edges{{1, 2}, {0, 1}}), std::logic_error);
  CHECK_THROWS_AS(NonEdges(3, Edges{{2, 1}}), std::logic_error);
  CHECK_THROWS_AS(NonEdges(3, Edges{{1, 3}}), std::logic_error);
}
