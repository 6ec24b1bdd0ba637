#include "data/features.hpp"

#include <cmath>

#include "core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/graph_tasks.hpp"
#include "tests/support/reference_case.hpp"

using namespace sst::data;  // NOLINT(google-build-using-namespace)
using sst::testing::kLinks;
using sst::testing::kNodes;
using sst::testing::kRounding;

namespace {

constexpr double kReferenceTolerance = 1e-9;

torch::Tensor matrix(const nlohmann::json& rows) {
  std::vector<double> values;
  for (const auto& row : rows)
    for (const auto& value : row) values.push_back(value.get<double>());
  return torch::tensor(values, torch::kFloat64).view({static_cast<int64_t>(rows.size()), -1});
}

torch::Tensor to_dense(const SparseArrays& sparse) {
  return torch::sparse_csr_tensor(sparse.indptr, sparse.indices, sparse.values, {sparse.rows, sparse.cols},
                                  sparse.values.options().layout(torch::kSparseCsr))
      .to_dense();
}

SparseArrays to_sparse(const torch::Tensor& dense) {
  const torch::Tensor csr = dense.to_sparse_csr();
  return {dense.size(0), dense.size(1), csr.crow_indices(), csr.col_indices(), csr.values()};
}

bool near(const torch::Tensor& a, const torch::Tensor& b, double tolerance) {
  return a.sizes() == b.sizes() && torch::allclose(a, b, tolerance, tolerance);
}

}  // namespace

TEST_CASE("adjacency, normalised features and degree columns are the published ones", "[data]") {
  const auto reference = sst::testing::reference_case("graph_preprocess");
  if (!reference) return;
  const auto& inputs = reference->at("inputs");
  const auto& outputs = reference->at("outputs");
  const auto edges = inputs.at("edges").get<std::vector<Edge>>();
  const auto nodes = inputs.at("n").get<int64_t>();
  CHECK(
      near(to_dense(graph_adjacency(nodes, edges, kNodes, true)), matrix(outputs.at("adj_norm")), kReferenceTolerance));

  const torch::Tensor stored = matrix(inputs.at("features"));
  const torch::Tensor normalised = normalize_rows({.dense = stored, .sparse = {}}).dense;
  CHECK(near(normalised, matrix(outputs.at("features_norm")), kReferenceTolerance));
  const torch::Tensor sparse = to_dense(normalize_rows({.dense = {}, .sparse = to_sparse(stored)}).sparse);
  CHECK(near(sparse, matrix(outputs.at("features_norm")), kReferenceTolerance));

  const torch::Tensor augmented = torch::cat({normalised, degree_columns(node_degrees(nodes, edges, kNodes))}, 1);
  CHECK(near(augmented, matrix(outputs.at("features_augmented")), kReferenceTolerance));
}

TEST_CASE("a self loop counts once for nodes and twice for links", "[data]") {
  const std::vector<Edge> edges{{0, 0}, {0, 1}};
  CHECK(node_degrees(2, edges, kNodes) == std::vector<int64_t>{2, 1});
  CHECK(node_degrees(2, edges, kLinks) == std::vector<int64_t>{3, 1});
  // Row 0 of A + I: 1 + 1 and 1 for nodes, 2 + 1 and 1 for links.
  CHECK(near(to_dense(graph_adjacency(2, edges, kNodes, true))[0], torch::tensor({2. / 3, 1. / 3}, torch::kFloat64),
             kRounding));
  CHECK(near(to_dense(graph_adjacency(2, edges, kLinks, true))[0], torch::tensor({3. / 4, 1. / 4}, torch::kFloat64),
             kRounding));
}

TEST_CASE("without normalisation the adjacency is A and has no identity in it", "[data]") {
  const torch::Tensor adjacency = to_dense(graph_adjacency(3, {{0, 1}, {1, 1}}, kNodes, false));
  CHECK(torch::equal(adjacency, torch::tensor({{0., 1., 0.}, {1., 1., 0.}, {0., 0., 0.}}, torch::kFloat64)));
}

TEST_CASE("degrees from five on share a column", "[data]") {
  const torch::Tensor columns = degree_columns({0, 4, 5, 90});
  CHECK(torch::equal(columns.argmax(1), torch::tensor({0, 4, 5, 5}, torch::kInt64)));
  CHECK(torch::equal(columns.sum(1), torch::full({4}, 2.0, torch::kFloat64)));
}

TEST_CASE("float32 features are normalised in float32", "[data]") {
  const Features features{.dense = torch::tensor({{1.F, 2.F}, {0.F, 0.F}, {1.F, -1.F}}), .sparse = {}};
  const Features normalised = normalize_rows(features);
  CHECK(normalised.dense.scalar_type() == torch::kFloat32);
  CHECK(normalised.dense[0][0].item<float>() == 1.F / 3.F);
  CHECK(torch::equal(normalised.dense.slice(0, 1), torch::zeros({2, 2})));
}

TEST_CASE("features are mapped to the hyperboloid and large ones are held at radius 10", "[data]") {
  const torch::Tensor rows = torch::tensor({{0., 0.}, {3., 4.}, {0., -30.}}, torch::kFloat64);
  const HyperboloidFeatures points = to_hyperboloid({.dense = rows, .sparse = {}});
  CHECK(points.time[0].item<double>() == 1.0);
  CHECK(points.time[1].item<double>() == Approx(std::cosh(5.0)).epsilon(kRounding));
  CHECK(points.space.dense[1][0].item<double>() == Approx(0.6 * std::sinh(5.0)).epsilon(kRounding));
  CHECK(points.time[2].item<double>() == Approx(std::cosh(10.0)).epsilon(kRounding));
  CHECK(points.space.dense[2][1].item<double>() == Approx(-std::sinh(10.0)).epsilon(kRounding));

  const HyperboloidFeatures sparse = to_hyperboloid({.dense = {}, .sparse = to_sparse(rows)});
  CHECK(near(sparse.time, points.time, kRounding));
  CHECK(sparse.space.sparse.values.numel() == 3);  // as sparse as the features
  CHECK(near(to_dense(sparse.space.sparse), points.space.dense, kRounding));
}

TEST_CASE("a node without features of its own gets a one-hot row", "[data]") {
  Graph graph;
  graph.nodes = 3;
  const GraphDataOptions options{.dataset = "disease_nc", .use_feats = false};
  const Features features = prepare_features(graph, options, kNodes, {});
  CHECK(torch::equal(to_dense(features.sparse), torch::eye(3, torch::kFloat64)));
  const GraphDataOptions with_features{.dataset = "disease_nc"};
  CHECK_THROWS_AS(prepare_features(graph, with_features, kNodes, {}), sst::DataError);
}

TEST_CASE("Airport's nodes lose the column their classes come from and both tasks gain the degrees", "[data]") {
  Graph graph;
  graph.nodes = 2;
  graph.dense_features = torch::tensor({{1., 1., 1., 1., 4.}, {2., 0., 0., 0., 2.}}, torch::kFloat64);
  const GraphDataOptions options{.dataset = "airport"};
  const torch::Tensor nodes = prepare_features(graph, options, kNodes, {{0, 1}}).dense;
  const torch::Tensor links = prepare_features(graph, options, kLinks, {{0, 1}}).dense;
  const torch::Tensor degrees = torch::tensor({0., 1., 0., 0., 0., 0., 1.}, torch::kFloat64);
  CHECK(near(nodes[0], torch::cat({torch::full({4}, 0.25, torch::kFloat64), degrees}), kRounding));
  CHECK(near(links[1], torch::cat({torch::tensor({.5, 0., 0., 0., .5}, torch::kFloat64), degrees}), kRounding));
}
