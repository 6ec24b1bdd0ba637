#include "data/splits.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/error.hpp"
#include "data/mt19937.hpp"
#include "data/non_edges.hpp"

namespace sst::data {
namespace {

using Nodes = std::vector<int64_t>;

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from, size_t begin, size_t end) {
  const auto at = [&](size_t i) { return from.begin() + static_cast<std::ptrdiff_t>(std::min(i, from.size())); };
  to.insert(to.end(), at(begin), at(end));
}

Nodes distinct(Nodes nodes) {
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

/// Both ascending and distinct.
Nodes without(const Nodes& nodes, const Nodes& excluded) {
  Nodes rest;
  std::set_difference(nodes.begin(), nodes.end(), excluded.begin(), excluded.end(), std::back_inserter(rest));
  return rest;
}

int64_t shared_count(const Nodes& a, const Nodes& b) {
  Nodes both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return static_cast<int64_t>(both.size());
}

/// Python's round(): halves go to the even neighbour, which is nearbyint in the default rounding mode.
size_t rounded(double share, size_t of) { return static_cast<size_t>(std::nearbyint(share * static_cast<double>(of))); }

}  // namespace

NodeSplit published_node_split(const std::vector<int64_t>& labels, Proportions proportions, uint32_t seed) {
  Nodes positive, negative;
  for (size_t node = 0; node < labels.size(); ++node) {
    if (labels[node] != 0) positive.push_back(static_cast<int64_t>(node));
    if (labels[node] != 1) negative.push_back(static_cast<int64_t>(node));
  }
  LegacyRandom random(seed);
  random.shuffle(positive);
  random.shuffle(negative);
  const size_t smaller = std::min(positive.size(), negative.size());
  const size_t valid = rounded(proportions.valid, smaller), test = rounded(proportions.test, smaller);

  NodeSplit split;
  for (const Nodes* half : {&positive, &negative}) {
    append(split.valid, *half, 0, valid);
    append(split.test, *half, valid, valid + test);
    append(split.train, *half, valid + test, half->size());
  }
  return split;
}

NodeSplit clean_node_split(const NodeSplit& split) {
  NodeSplit clean;
  clean.test = distinct(split.test);
  clean.valid = without(distinct(split.valid), clean.test);
  clean.train = without(without(distinct(split.train), clean.valid), clean.test);
  return clean;
}

NodeSplit node_split(const Graph& graph, const GraphDataOptions& options) {
  if (graph.labels.empty())
    throw DataError("graph '" + graph.name + "' has no labels to learn", "use it for link_prediction");
  NodeSplit split;
  if (!graph.fixed_train.empty()) {
    split = {.train = graph.fixed_train, .valid = graph.fixed_valid, .test = graph.fixed_test};
  } else {
    split = published_node_split(graph.labels, split_proportions(options, GraphTask::kNodeClassification),
                                 static_cast<uint32_t>(options.split_seed));
  }
  if (options.split == "clean") split = clean_node_split(split);
  if (split.train.empty() || split.valid.empty() || split.test.empty())
    throw DataError(fmt::format("the split of '{}' has {} training, {} validation and {} test nodes", graph.name,
                                split.train.size(), split.valid.size(), split.test.size()),
                    "each part needs nodes: change data.valid_prop and data.test_prop, or take a larger graph");
  return split;
}

SplitOverlap overlap_of(const NodeSplit& split) {
  const Nodes train = distinct(split.train), valid = distinct(split.valid), test = distinct(split.test);
  return {.train = static_cast<int64_t>(train.size()),
          .valid = static_cast<int64_t>(valid.size()),
          .test = static_cast<int64_t>(test.size()),
          .train_valid = shared_count(train, valid),
          .train_test = shared_count(train, test),
          .valid_test = shared_count(valid, test)};
}

std::string overlap_text(const SplitOverlap& overlap) {
  if (!overlap.any()) return "no node is in two parts";
  return fmt::format(
      "{} of {} test nodes and {} of {} validation nodes are also training nodes, {} are in validation and "
      "test",
      overlap.train_test, overlap.test, overlap.train_valid, overlap.valid, overlap.valid_test);
}

EdgePartSizes edge_part_sizes(int64_t edges, int64_t non_edges, Proportions proportions) {
  const EdgePartSizes sizes{.valid = static_cast<int64_t>(std::floor(proportions.valid * static_cast<double>(edges))),
                            .test = static_cast<int64_t>(std::floor(proportions.test * static_cast<double>(edges)))};
  if (sizes.valid == 0 || sizes.test == 0 || sizes.valid + sizes.test >= edges || sizes.valid + sizes.test > non_edges)
    throw UserError(
        fmt::format("splitting {} edges by {} and {} gives {} validation and {} test edges, {} pairs have no edge",
                    edges, proportions.valid, proportions.test, sizes.valid, sizes.test, non_edges),
        "each part needs edges, and as many pairs without one: change data.valid_prop and data.test_prop");
  return sizes;
}

EdgeSplit published_edge_split(int64_t nodes, const std::vector<Edge>& edges, Proportions proportions, uint32_t seed) {
  const NonEdges negatives(nodes, edges);
  if (negatives.count() > int64_t{UINT32_MAX})
    throw UserError(
        fmt::format("a graph of {} nodes has {} pairs without an edge, too many to shuffle", nodes, negatives.count()),
        "link prediction takes graphs of up to about 92,000 nodes");
  const EdgePartSizes sizes = edge_part_sizes(static_cast<int64_t>(edges.size()), negatives.count(), proportions);
  const auto valid = static_cast<size_t>(sizes.valid), test = static_cast<size_t>(sizes.test);

  LegacyRandom random(seed);
  std::vector<Edge> shuffled = edges;
  random.shuffle(shuffled);
  EdgeSplit split;
  append(split.valid, shuffled, 0, valid);
  append(split.test, shuffled, valid, valid + test);
  append(split.train, shuffled, valid + test, shuffled.size());
  const auto ranks = random.shuffled_front(static_cast<uint64_t>(negatives.count()), valid + test);
  for (size_t i = 0; i < ranks.size(); ++i)
    (i < valid ? split.valid_negative : split.test_negative).push_back(negatives.at(static_cast<int64_t>(ranks[i])));
  return split;
}

EdgeSplit edge_split(const Graph& graph, const GraphDataOptions& options) {
  return published_edge_split(graph.nodes, graph.edges, split_proportions(options, GraphTask::kLinkPrediction),
                              static_cast<uint32_t>(options.split_seed));
}

}  // namespace sst::data
