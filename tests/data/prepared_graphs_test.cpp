// The published data sets, converted by data_tools/prepare_graphs.py and then read, split and preprocessed: every check
// value of their README. Needs the shared data and a python3 with numpy; says so and passes where one is absent.

#include <sys/wait.h>

#include <cstdlib>
#include <optional>

#include "core/error.hpp"
#include "data/features.hpp"
#include "data/graph_folder.hpp"
#include "data/graph_input.hpp"
#include "data/integer_file.hpp"
#include "data/splits.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/graph_tasks.hpp"
#include "tests/support/shared_files.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace sst::data;  // NOLINT(google-build-using-namespace)
using sst::testing::kLinks;
using sst::testing::kNodes;

namespace {

constexpr double kExact = 1e-9;
constexpr double kFloat32 = 1e-6;  // the sums of the citation sets carry float32 rounding of the features

int run_python(const std::string& arguments) {
  const int status = std::system(("python3 -B " + arguments).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has_numpy() {
  static const bool found = run_python("-c 'import numpy' 2>/dev/null") == 0;
  if (!found) sst::testing::skip("there is no python3 with numpy");
  return found;
}

/// The folder with all converted data sets, made once and removed at the end; nothing where something is absent.
std::optional<std::filesystem::path> prepared() {
  const auto originals = sst::testing::shared_file("data/graphs");
  if (!originals || !has_numpy()) return std::nullopt;
  static const sst::testing::TemporaryFolder folder;
  static const int code = run_python(std::string(SST_SOURCE_DIR) + "/data_tools/prepare_graphs.py --input '" +
                                     originals->string() + "' --output '" + folder.path().string() + "' >/dev/null");
  REQUIRE(code == 0);
  return folder.path();
}

GraphDataOptions options_for(const std::string& dataset) {
  return {.dataset = dataset, .dir = sst::recipe::Path{dataset}};
}

/// One line of the README's table. Sums over features, normalised adjacency and mapped features.
struct CheckValues {
  std::string dataset;
  GraphTask task;
  int64_t nodes, features;
  double f, f_squared, largest_norm;
  int64_t adjacency_nonzeros;
  double adjacency_squared, time, space, product_squared;
  double tolerance;
};

const std::vector<CheckValues> kCheckValues{
    {"cora", kNodes, 2708, 1433, 2708.00004449, 196.870094995, 1, 13264, 745.558974067, 2807.5615659, 2741.03643383,
     2990.32894367, kFloat32},
    {"cora", kLinks, 2708, 1433, 2708.00004449, 196.870094995, 1, 11684, 870.270649746, 2807.5615659, 2741.03643383,
     2999.64197403, kFloat32},
    {"pubmed", kNodes, 19717, 500, 19716.9999975, 793.48141482, 0.507189, 108365, 6693.47854221, 20115.3255195,
     19849.5636827, 20921.0935249, kFloat32},
    {"airport", kNodes, 3188, 11, 9564, 325600.672004, 364.597, 40448, 810.715490197, 711556.914474, 127880.418825,
     9383285219.51, kExact},
    {"airport", kLinks, 3188, 12, 9564, 8493.55812578, 13.2613, 34860, 943.678768703, 23410.7177348, 18281.9802259,
     20022756.5427, kExact},
    {"disease_lp", kLinks, 2665, 11, 10861.308022, 23347.4902643, 5.6241, 7195, 1354.20190643, 30082.0667537,
     45657.9077967, 805691.446511, kExact},
    {"disease_nc", kNodes, 1044, 1044, 1044, 1044, 1, 3130, 438.003571429, 1610.97618275, 1226.91004616, 3090.79193959,
     kExact},
};

torch::Tensor to_dense(const sst::tensor::CsrMatrix& sparse) {
  return torch::sparse_csr_tensor(sparse.indptr, sparse.indices, sparse.values, {sparse.rows, sparse.cols},
                                  sparse.values.options().layout(torch::kSparseCsr))
      .to_dense();
}

double total(const torch::Tensor& values) { return values.to(torch::kFloat64).sum().item<double>(); }

double largest_row_norm(const Features& features) {
  if (!features.is_sparse()) return features.dense.norm(2, 1).max().item<double>();
  const auto& sparse = features.sparse;
  return torch::sparse_csr_tensor(sparse.indptr, sparse.indices, sparse.values, {sparse.rows, sparse.cols},
                                  sparse.values.options().layout(torch::kSparseCsr))
      .to_dense()
      .norm(2, 1)
      .max()
      .item<double>();
}

}  // namespace

TEST_CASE("preprocessing gives the check values of the published data", "[data][slow]") {
  const auto root = prepared();
  if (!root) return;
  for (const CheckValues& expected : kCheckValues) {
    CAPTURE(expected.dataset, task_name(expected.task));
    const auto agrees = [&](double wanted) { return Approx(wanted).epsilon(expected.tolerance); };
    GraphDataOptions options = options_for(expected.dataset);
    options.use_feats = expected.dataset != "disease_nc";
    options.normalize_feats = expected.dataset != "disease_lp";
    const Graph graph = load_graph(options, *root, expected.task);
    const auto edges = expected.task == kLinks ? edge_split(graph, options).train : graph.edges;

    const Features features = prepare_features(graph, options, expected.task, edges);
    CHECK(features.count() == expected.features);
    CHECK(total(features.values()) == agrees(expected.f));
    CHECK(total(features.values().to(torch::kFloat64).square()) == agrees(expected.f_squared));
    CHECK(largest_row_norm(features) == Approx(expected.largest_norm).epsilon(2e-6));  // printed with six digits

    const GraphInput input = make_graph_input(graph, options, expected.task, edges, torch::kFloat64);
    CHECK(input.nodes == expected.nodes);
    CHECK(input.features.rows() == expected.nodes);
    CHECK(input.features.cols() == expected.features + 1);
    CHECK(input.adjacency->nonzeros() == expected.adjacency_nonzeros);
    CHECK(total(input.adjacency->values.square()) == Approx(expected.adjacency_squared).epsilon(kExact));
    const torch::Tensor points = input.features.to_dense();  // [nodes, F + 1]
    CHECK(total(points.select(1, 0)) == agrees(expected.time));
    CHECK(total(points.slice(1, 1)) == agrees(expected.space));
    const torch::Tensor product = sst::tensor::csr_times(*input.adjacency, input.adjacency->values, points);
    CHECK(total(product.square()) == agrees(expected.product_squared));
  }
}

TEST_CASE("float32 inputs are the float64 ones rounded", "[data]") {
  const auto root = prepared();
  if (!root) return;
  const GraphDataOptions options = options_for("cora");
  const Graph graph = load_graph(options, *root, kNodes);
  const GraphInput exact = make_graph_input(graph, options, kNodes, graph.edges, torch::kFloat64);
  const GraphInput rounded = make_graph_input(graph, options, kNodes, graph.edges, torch::kFloat32);
  CHECK(rounded.features.is_sparse());
  CHECK(rounded.features.dtype() == torch::kFloat32);
  CHECK(torch::equal(rounded.features.to_dense(), exact.features.to_dense().to(torch::kFloat32)));
  CHECK(torch::equal(rounded.adjacency->values, exact.adjacency->values.to(torch::kFloat32)));
  CHECK(torch::equal(to_dense(*rounded.adjacency).ne(0), to_dense(*exact.adjacency).ne(0)));
}

TEST_CASE("the nodes of the published graphs are split as in their files", "[data]") {
  const auto root = prepared();
  if (!root) return;
  for (const std::string dataset : {"cora", "pubmed", "airport", "disease_nc"}) {
    CAPTURE(dataset);
    GraphDataOptions options = options_for(dataset);
    options.use_feats = dataset != "disease_nc";
    const NodeSplit split = node_split(load_graph(options, *root, kNodes), options);
    const auto published = *sst::testing::shared_file("data/graphs/" + dataset + "/splits");
    CHECK(split.train == read_integers(published / "nc_seed1234_train.txt", 1));
    CHECK(split.valid == read_integers(published / "nc_seed1234_val.txt", 1));
    CHECK(split.test == read_integers(published / "nc_seed1234_test.txt", 1));
  }
}

TEST_CASE("Airport's published split overlaps and its clean one does not", "[data]") {
  const auto root = prepared();
  if (!root) return;
  GraphDataOptions options = options_for("airport");
  const Graph graph = load_graph(options, *root, kNodes);
  const SplitOverlap overlap = overlap_of(node_split(graph, options));
  CHECK(overlap_text(overlap) ==
        "225 of 506 test nodes and 246 of 505 validation nodes are also training nodes, 43 are in validation and test");
  CHECK(overlap.train == 2691);

  options.split = "clean";
  const NodeSplit clean = node_split(graph, options);
  CHECK_FALSE(overlap_of(clean).any());
  const auto published = *sst::testing::shared_file("data/graphs/airport/splits");
  CHECK(clean.train == read_integers(published / "nc_seed1234_clean_train.txt", 1));
  CHECK(clean.valid == read_integers(published / "nc_seed1234_clean_val.txt", 1));
  CHECK(clean.test == read_integers(published / "nc_seed1234_clean_test.txt", 1));
}

TEST_CASE("Disease without its features trains only without them", "[data]") {
  const auto root = prepared();
  if (!root) return;
  GraphDataOptions options = options_for("disease_nc");
  CHECK_THROWS_WITH(load_graph(options, *root, kNodes), ContainsSubstring("holds no features"));
  options.use_feats = false;
  CHECK(load_graph(options, *root, kNodes).nodes == 1044);
}

TEST_CASE("the converter refuses pickles that name anything else, and other data", "[data]") {
  if (!has_numpy()) return;
  CHECK(run_python("'" + std::string(SST_SOURCE_DIR) + "/tests/data/prepare_graphs_check.py' 2>/dev/null") == 0);
}
