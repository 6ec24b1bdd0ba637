#include "data/graph_folder.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "data/graph_datasets.hpp"
#include "data/integer_file.hpp"
#include "data/npy.hpp"
#include "data/sir_tree.hpp"

namespace sst::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostCount = int64_t{1} << 31;  // keeps the number of pairs of nodes within int64

/// meta.json: what the folder should hold.
struct Meta {
  std::string name;
  int64_t nodes = 0, edges = 0, features = 0, classes = 0;
  std::map<std::string, std::string> files;  // name → SHA-256

  bool has(const std::string& file) const { return files.contains(file); }
};

[[noreturn]] void fail(const fs::path& path, const std::string& reason) {
  throw DataError(path.string() + ": " + reason, prepare_again_hint());
}

/// nlohmann would turn fractions, infinities and truth values into some integer.
int64_t read_count(const fs::path& path, const nlohmann::json& json, const std::string& key, int64_t least) {
  const auto& value = json.at(key);
  if (!value.is_number()) fail(path, fmt::format("'{}' is not a number, but {}", key, value.type_name()));
  if (!value.is_number_integer() || value < least || value > kMostCount)
    fail(path, fmt::format("'{}' is {}, not an integer from {} to {}", key, value.dump(), least, kMostCount));
  return value;
}

Meta read_meta(const fs::path& folder) {
  const fs::path path = folder / "meta.json";
  if (!is_folder(folder))
    throw DataError("there is no data folder '" + folder.string() + "'",
                    "make it with  python3 data_tools/prepare_graphs.py --input ORIGINALS --output " +
                        folder.parent_path().string());
  if (!path_exists(path)) fail(folder, "it has no meta.json, so it is no prepared graph");
  Meta meta;
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    if (json.at("format") != "sst-graph" || json.at("version") != 1)
      fail(path, "it is not of format sst-graph, version 1");
    meta.name = json.at("name");
    meta.nodes = read_count(path, json, "nodes", 1);
    meta.edges = read_count(path, json, "edges", 0);
    meta.features = read_count(path, json, "features", 0);
    meta.classes = read_count(path, json, "classes", 0);
    meta.files = json.at("files");
  } catch (const nlohmann::json::exception& error) {
    fail(path, error.what());
  }
  if (!meta.has("edges.txt")) fail(path, "'files' does not name edges.txt");
  return meta;
}

std::vector<Edge> read_edges(const fs::path& path, const Meta& meta) {
  const auto numbers = read_integers(path, 2);
  std::vector<Edge> edges;
  edges.reserve(numbers.size() / 2);
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    const Edge edge{numbers[i], numbers[i + 1]};
    const auto line = static_cast<int64_t>(i / 2 + 1);
    if (edge.second >= meta.nodes || edge.first > edge.second)
      fail_at_line(
          path, line,
          fmt::format("edge {} {} is not of the form u v with u ≤ v < {}", edge.first, edge.second, meta.nodes));
    if (!edges.empty() && edge <= edges.back())
      fail_at_line(path, line, fmt::format("edge {} {} is not after the one before it", edge.first, edge.second));
    edges.push_back(edge);
  }
  if (static_cast<int64_t>(edges.size()) != meta.edges)
    fail(path, fmt::format("it holds {} edges, meta.json says {}", edges.size(), meta.edges));
  return edges;
}

std::vector<int64_t> read_labels(const fs::path& path, const Meta& meta) {
  auto labels = read_integers(path, 1);
  if (static_cast<int64_t>(labels.size()) != meta.nodes)
    fail(path, fmt::format("it holds {} labels for {} nodes", labels.size(), meta.nodes));
  for (size_t node = 0; node < labels.size(); ++node)
    if (labels[node] >= meta.classes)
      fail_at_line(path, static_cast<int64_t>(node + 1),
                   fmt::format("label {} is not below {}, the number of classes", labels[node], meta.classes));
  return labels;
}

/// One part of the published split. `seen` holds the nodes of the parts read before it.
std::vector<int64_t> read_part(const fs::path& path, const Meta& meta, std::set<int64_t>& seen) {
  auto nodes = read_integers(path, 1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto line = static_cast<int64_t>(i + 1);
    if (nodes[i] >= meta.nodes)
      fail_at_line(path, line, fmt::format("node {} is not below {}, the number of nodes", nodes[i], meta.nodes));
    if (!seen.insert(nodes[i]).second)
      fail_at_line(path, line, fmt::format("node {} is in the split already", nodes[i]));
  }
  return nodes;
}

void check_values(const fs::path& path, const torch::Tensor& values) {
  if (!values.is_floating_point()) fail(path, "features must be float32 or float64");
  if (!torch::isfinite(values).all().item<bool>()) fail(path, "a feature is not a finite number");
}

void read_sparse_features(const fs::path& folder, const Meta& meta, Graph& graph) {
  const fs::path starts = folder / "features_indptr.npy", columns = folder / "features_indices.npy";
  graph.feature_indptr = read_npy(starts);
  graph.feature_indices = read_npy(columns);
  graph.feature_values = read_npy(folder / "features_data.npy");
  const int64_t stored = graph.feature_values.numel();
  if (graph.feature_indptr.scalar_type() != torch::kInt64 || graph.feature_indptr.dim() != 1 ||
      graph.feature_indptr.numel() != meta.nodes + 1)
    fail(starts, fmt::format("it must hold {} int64 row starts", meta.nodes + 1));
  if (graph.feature_indices.dim() != 1 || graph.feature_values.dim() != 1 || graph.feature_indices.numel() != stored)
    fail(columns, fmt::format("it does not hold one column for each of the {} values", stored));
  if (graph.feature_indices.is_floating_point()) fail(columns, "columns must be int32 or int64");
  graph.feature_indices = graph.feature_indices.to(torch::kInt64);
  check_values(folder / "features_data.npy", graph.feature_values);

  const auto* const start = graph.feature_indptr.data_ptr<int64_t>();
  const auto* const column = graph.feature_indices.data_ptr<int64_t>();
  if (start[0] != 0 || start[meta.nodes] != stored) fail(starts, "it does not run from 0 to the number of values");
  if (!std::is_sorted(start, start + meta.nodes + 1)) fail(starts, "a row ends before it starts");
  for (int64_t row = 0; row < meta.nodes; ++row)
    for (int64_t k = start[row]; k < start[row + 1]; ++k)
      if (column[k] < 0 || column[k] >= meta.features || (k > start[row] && column[k] <= column[k - 1]))
        fail(columns, fmt::format("row {}: column {} is out of order or not below {}", row, column[k], meta.features));
}

void read_features(const fs::path& folder, const Meta& meta, Graph& graph) {
  if (meta.has("features.npy")) {
    const fs::path path = folder / "features.npy";
    graph.dense_features = read_npy(path);
    if (graph.dense_features.sizes() != torch::IntArrayRef({meta.nodes, meta.features}))
      fail(path, fmt::format("its shape is not {} x {}", meta.nodes, meta.features));
    check_values(path, graph.dense_features);
  } else if (meta.has("features_data.npy")) {
    read_sparse_features(folder, meta, graph);
  } else if (meta.features != 0) {
    fail(folder / "meta.json", fmt::format("it promises {} features but names no file of them", meta.features));
  }
  graph.feature_count = meta.features;
}

/// Last, so that a file broken by hand is reported with its line instead.
std::string check_hashes(const fs::path& folder, const Meta& meta) {
  std::string all;
  for (const auto& [file, expected] : meta.files) {
    const std::string actual = sha256_of_file(folder / file);
    if (actual != expected)
      fail(folder / file,
           fmt::format("its SHA-256 is {}…, meta.json says {}…", actual.substr(0, 12), expected.substr(0, 12)));
    all += actual + "  " + file + "\n";
  }
  return sha256_hex(all);
}

}  // namespace

Graph read_graph_folder(const fs::path& folder) {
  const Meta meta = read_meta(folder);
  for (const auto& [file, hash] : meta.files) {
    if (fs::path(file).filename() != file)
      fail(folder / "meta.json", "'" + file + "' is not a name of a file beside it");
    if (!path_exists(folder / file)) fail(folder / file, "the file is missing");
  }
  Graph graph;
  graph.name = meta.name;
  graph.nodes = meta.nodes;
  graph.classes = meta.classes;
  graph.edges = read_edges(folder / "edges.txt", meta);
  if (meta.has("labels.txt")) graph.labels = read_labels(folder / "labels.txt", meta);
  read_features(folder, meta, graph);
  std::set<int64_t> seen;
  if (meta.has("train_nodes.txt")) graph.fixed_train = read_part(folder / "train_nodes.txt", meta, seen);
  if (meta.has("valid_nodes.txt")) graph.fixed_valid = read_part(folder / "valid_nodes.txt", meta, seen);
  if (meta.has("test_nodes.txt")) graph.fixed_test = read_part(folder / "test_nodes.txt", meta, seen);
  graph.sha256 = check_hashes(folder, meta);
  return graph;
}

std::optional<fs::path> graph_folder(const GraphDataOptions& options, const fs::path& data_root) {
  if (options.format == "sir_tree" || !options.dir) return std::nullopt;
  return (data_root / options.dir->text).lexically_normal();
}

Graph load_graph(const GraphDataOptions& options, const fs::path& data_root, GraphTask task) {
  if (options.format == "sir_tree")
    return make_sir_tree(options.nodes, static_cast<uint64_t>(options.split_seed), task);
  const auto folder = graph_folder(options, data_root);
  require(folder.has_value(), "load_graph: data.dir was not checked");
  Graph graph = read_graph_folder(*folder);
  const GraphDataset& dataset = graph_dataset(options);
  if (graph.name != dataset.name)
    throw DataError(
        fmt::format("'{}' holds the data set '{}', the recipe says '{}'", folder->string(), graph.name, dataset.name),
        "change data.dir or data.dataset");
  if (options.use_feats && graph.feature_count == 0)
    throw DataError("'" + folder->string() + "' holds no features",
                    "data_tools/README.md says where they come from; data.use_feats: false trains without them");
  if (task == GraphTask::kNodeClassification && dataset.has_fixed_split && graph.fixed_train.empty())
    throw DataError("'" + folder->string() + "' lacks the published split of '" + graph.name + "'",
                    prepare_again_hint());
  return graph;
}

}  // namespace sst::data
