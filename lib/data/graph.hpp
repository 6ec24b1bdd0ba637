#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recipe/words.hpp"
#include "tensor/rows.hpp"

namespace sst::data {

using Edge = std::pair<int64_t, int64_t>;

/// What a graph is used for; decides its split, its features and, for `sir_tree`, the graph itself.
enum class GraphTask { kNodeClassification, kLinkPrediction };

/// A graph as it lies in its folder (docs/formats.md) or was made in memory: nothing normalised, nothing
/// split.
struct Graph {
  std::string name;
  int64_t nodes = 0;
  int64_t classes = 0;           ///< 0 when there are no labels
  std::vector<Edge> edges;       ///< u ≤ v, sorted, one entry per undirected edge, self loops kept
  std::vector<int64_t> labels;   ///< [nodes], empty when there are none
  torch::Tensor dense_features;  ///< float64 or float32 [nodes, F], undefined when sparse
  torch::Tensor feature_indptr, feature_indices, feature_values;  ///< CSR, undefined when dense
  int64_t feature_count = 0;                                      ///< F
  std::vector<int64_t> fixed_train, fixed_valid,
      fixed_test;      ///< published split of the data set, empty when there is none
  std::string sha256;  ///< over the files, or over the made arrays
};

/// `data` of the graph tasks.
struct GraphDataOptions {
  std::string format = "hgcn";
  std::optional<std::string> dataset = {};
  std::optional<recipe::Path> dir = {};
  bool use_feats = true;
  bool normalize_feats = true;
  bool normalize_adj = true;
  std::optional<double> valid_prop = {}, test_prop = {};  ///< not given: as published for the data set
  int64_t split_seed = 1234;
  std::string split = "hgcn";
  int64_t nodes = 1044;  ///< sir_tree only

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(format, "format", one_of({"hgcn", "sir_tree"}),
          "where the graph comes from: the folder data_tools/prepare_graphs.py writes, or an epidemic on a "
          "random tree "
          "made in memory");
    field(dataset, "dataset", one_of({"cora", "pubmed", "airport", "disease_nc", "disease_lp"}),
          "name of the data set; decides features, split and classes (hgcn only)");
    field(dir, "dir", anything(), "folder of the data set, relative to data_root (hgcn only)");
    field(use_feats, "use_feats", anything(), "false: every node gets its own one-hot feature");
    field(normalize_feats, "normalize_feats", anything(), "divide each feature row by its sum");
    field(normalize_adj, "normalize_adj", anything(), "row-normalised adjacency with self loops; false: as it is");
    field(valid_prop, "valid_prop", fraction(), "share of edges (LP) or of nodes per class (NC) for validation");
    field(test_prop, "test_prop", fraction(), "the same for testing");
    field(split_seed, "split_seed", between(0, 4294967295.0),
          "seed of the split, apart from `seed`: the same split for every run");
    field(split, "split", one_of({"hgcn", "clean"}), "as published, or with no node in two parts");
    field(nodes, "nodes", between(8, 1e6), "number of nodes (sir_tree only)");
  }
};

/// Node indices of the three parts, in the published order; duplicates (Airport) are kept.
struct NodeSplit {
  std::vector<int64_t> train, valid, test;
};

struct EdgeSplit {
  std::vector<Edge> train, valid, test;
  std::vector<Edge> valid_negative, test_negative;
};

/// What a graph encoder eats: constant over training.
struct GraphInput {
  int64_t nodes = 0;
  tensor::Rows features;  ///< x0 on the hyperboloid, [nodes, F + 1]; time entry in column 0
  std::shared_ptr<const tensor::CsrMatrix> adjacency;  ///< Â, normalised
};

}  // namespace sst::data
