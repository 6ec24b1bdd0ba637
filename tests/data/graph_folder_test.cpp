#include "data/graph_folder.hpp"

#include <cmath>
#include <fstream>

#include "core/error.hpp"
#include "data/graph_checks.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/graph_tasks.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_graph.hpp"

using sst::DataError;
using sst::data::check_graph_files;
using sst::data::Edge;
using sst::data::Graph;
using sst::data::GraphDataOptions;
using sst::data::GraphTask;
using sst::data::load_graph;
using sst::data::read_graph_folder;
using sst::testing::bytes_of;
using sst::testing::kNodes;
using sst::testing::npy_bytes;

namespace {

/// TinyGraph on disk; a test may spoil its files before they are read.
class TinyFolder : public sst::testing::TinyGraph {
 public:
  void remove_sparse_features() {
    for (const char* part : {"indptr", "indices", "data"}) files.erase(std::string("features_") + part + ".npy");
  }

  Graph read() const {
    for (const auto& [name, content] : files) std::ofstream(folder_ / name, std::ios::binary) << content;
    std::ofstream(folder_ / "meta.json") << meta_json();
    return read_graph_folder(folder_.path());
  }

  std::filesystem::path path() const { return folder_.path(); }

 private:
  sst::testing::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a prepared folder is read whole", "[data]") {
  const Graph graph = TinyFolder().read();
  CHECK(graph.name == "cora");
  CHECK(graph.nodes == 4);
  CHECK(graph.classes == 2);
  CHECK(graph.edges == std::vector<Edge>{{0, 1}, {1, 1}, {2, 3}});
  CHECK(graph.labels == std::vector<int64_t>{0, 1, 1, 0});
  CHECK(graph.feature_count == 5);
  CHECK(torch::equal(graph.feature_indptr, torch::tensor({0, 2, 2, 3, 4}, torch::kInt64)));
  CHECK(torch::equal(graph.feature_indices, torch::tensor({0, 4, 2, 1}, torch::kInt64)));
  CHECK(torch::equal(graph.feature_values, torch::tensor({1.F, 0.5F, 2.F, 1.F})));
  CHECK(graph.fixed_test == std::vector<int64_t>{2, 3});
  CHECK(graph.sha256.size() == 64);
}

TEST_CASE("dense features, no features and no labels are read as well", "[data]") {
  TinyFolder dense;
  dense.remove_sparse_features();
  dense.files["features.npy"] = npy_bytes("<f8", "(4, 1)", bytes_of<double>({1, 2, 3, 4}));
  dense.meta["features"] = 1;
  CHECK(torch::equal(dense.read().dense_features, torch::tensor({{1.}, {2.}, {3.}, {4.}}, torch::kFloat64)));

  TinyFolder bare;
  bare.remove_sparse_features();
  bare.files.erase("labels.txt");
  bare.meta["features"] = 0;
  const Graph graph = bare.read();
  CHECK(graph.feature_count == 0);
  CHECK_FALSE(graph.dense_features.defined());
  CHECK(graph.labels.empty());
  CHECK(graph.sha256 != dense.read().sha256);
}

TEST_CASE("text that is wrong is reported with its line", "[data]") {
  struct Mistake {
    std::string file, content, message;
  };
  const std::vector<Mistake> mistakes{
      {"edges.txt", "0 1\n1 4\n2 3\n", "edges.txt:2: edge 1 4 is not of the form"},
      {"edges.txt", "0 1\n2 1\n2 3\n", "edges.txt:2: edge 2 1 is not of the form"},
      {"edges.txt", "0 1\n0 1\n2 3\n", "edges.txt:2: edge 0 1 is not after"},
      {"edges.txt", "0 1\n2 3\n1 1\n", "edges.txt:3: edge 1 1 is not after"},
      {"edges.txt", "0 1\n1,1\n2 3\n", "edges.txt:2: expected 2 non-negative integers"},
      {"edges.txt", "0 1\n\n2 3\n", "edges.txt:2: expected 2"},
      {"edges.txt", "0 1\n1 -1\n", "edges.txt:2: expected 2"},
      {"edges.txt", "0 1\n1", "edges.txt:2: expected 2"},
      {"edges.txt", "0 1\n1 1\n", "edges.txt: it holds 2 edges, meta.json says 3"},
      {"labels.txt", "0\n1\n1\n2\n", "labels.txt:4: label 2 is not below 2"},
      {"labels.txt", "0\n1\n1\n0.5\n", "labels.txt:4: expected 1 non-negative integer"},
      {"labels.txt", "0\n1\n1\n", "labels.txt: it holds 3 labels for 4 nodes"},
      {"test_nodes.txt", "2\n4\n", "test_nodes.txt:2: node 4 is not below 4"},
      {"test_nodes.txt", "2\n0\n", "test_nodes.txt:2: node 0 is in the split already"},
  };
  for (const auto& [file, content, message] : mistakes) {
    CAPTURE(message);
    TinyFolder folder;
    folder.files[file] = content;
    CHECK_THROWS_AS(folder.read(), DataError);
    CHECK_THROWS_WITH(folder.read(), ContainsSubstring(message));
  }
}

TEST_CASE("features that do not fit together are refused", "[data]") {
  struct Mistake {
    std::string file, content, message;
  };
  const std::vector<Mistake> mistakes{
      {"features_indptr.npy", npy_bytes("<i8", "(4,)", bytes_of<int64_t>({0, 2, 3, 4})), "5 int64 row starts"},
      {"features_indptr.npy", npy_bytes("<i8", "(5,)", bytes_of<int64_t>({0, 2, 2, 3, 3})), "from 0 to the number"},
      {"features_indptr.npy", npy_bytes("<i8", "(5,)", bytes_of<int64_t>({0, 3, 2, 3, 4})), "ends before it starts"},
      {"features_indices.npy", npy_bytes("<i4", "(3,)", bytes_of<int32_t>({0, 4, 2})), "one column for each of the 4"},
      {"features_indices.npy", npy_bytes("<i4", "(4,)", bytes_of<int32_t>({0, 5, 2, 1})), "row 0: column 5"},
      {"features_indices.npy", npy_bytes("<i4", "(4,)", bytes_of<int32_t>({4, 4, 2, 1})), "row 0: column 4"},
      {"features_indices.npy", npy_bytes("<i4", "(4,)", bytes_of<int32_t>({0, 4, -1, 1})), "row 2: column -1"},
      {"features_indices.npy", npy_bytes("<f4", "(4,)", bytes_of<float>({0, 4, 2, 1.5})), "int32 or int64"},
      {"features_data.npy", npy_bytes("<f4", "(4,)", bytes_of<float>({1, 0.5, NAN, 1})), "not a finite number"},
      {"features_data.npy", npy_bytes("<i4", "(4,)", bytes_of<int32_t>({1, 0, 1, 1})), "float32 or float64"},
      {"features.npy", npy_bytes("<f4", "(2, 2)", bytes_of<float>({1, 0, 1, 1})), "shape is not 4 x 5"},
  };
  for (const auto& [file, content, message] : mistakes) {
    CAPTURE(message);
    TinyFolder folder;
    folder.files[file] = content;
    CHECK_THROWS_WITH(folder.read(), ContainsSubstring(message) && ContainsSubstring(file));
  }
}

TEST_CASE("a folder without or with a wrong meta.json is refused", "[data]") {
  sst::testing::TemporaryFolder empty;
  CHECK_THROWS_WITH(read_graph_folder(empty.path()), ContainsSubstring("no meta.json"));
  CHECK_THROWS_WITH(read_graph_folder(empty / "absent"), ContainsSubstring("there is no data folder"));
  std::ofstream(empty / "meta.json") << "{\"format\": ";
  CHECK_THROWS_WITH(read_graph_folder(empty.path()), ContainsSubstring("meta.json: "));

  TinyFolder other;
  other.meta["format"] = "other";
  CHECK_THROWS_WITH(other.read(), ContainsSubstring("not of format sst-graph"));
  TinyFolder untyped;
  untyped.meta["nodes"] = "four";
  CHECK_THROWS_AS(untyped.read(), DataError);
  for (const char* count : {"nodes", "edges", "features", "classes"})
    for (const nlohmann::json& value :
         {nlohmann::json(4.5), nlohmann::json(1e300), nlohmann::json(-1), nlohmann::json(true), nlohmann::json(nullptr),
          nlohmann::json(int64_t{1} << 62), nlohmann::json(~uint64_t{0})}) {
      CAPTURE(count, value.dump());
      TinyFolder miscounted;
      miscounted.meta[count] = value;
      CHECK_THROWS_WITH(miscounted.read(), ContainsSubstring("meta.json: ") && ContainsSubstring(count));
    }
  TinyFolder unnamed;
  unnamed.files.erase("edges.txt");
  CHECK_THROWS_WITH(unnamed.read(), ContainsSubstring("does not name edges.txt"));
  TinyFolder promised;
  promised.remove_sparse_features();
  CHECK_THROWS_WITH(promised.read(), ContainsSubstring("promises 5 features"));
}

TEST_CASE("a file that changed, vanished or lies elsewhere is refused", "[data]") {
  TinyFolder changed;
  changed.read();
  std::ofstream(changed.path() / "labels.txt") << "0\n1\n1\n1\n";
  CHECK_THROWS_WITH(read_graph_folder(changed.path()), ContainsSubstring("labels.txt: its SHA-256 is"));
  std::filesystem::remove(changed.path() / "labels.txt");
  CHECK_THROWS_WITH(read_graph_folder(changed.path()), ContainsSubstring("labels.txt: the file is missing"));

  TinyFolder outside;
  outside.meta["files"] = {{"../secret.txt", "00"}};
  CHECK_THROWS_WITH(outside.read(), ContainsSubstring("is not a name of a file beside it"));
  TinyFolder above;
  above.meta["files"] = {{"..", "00"}};
  CHECK_THROWS_WITH(above.read(), ContainsSubstring("it is a folder"));
}

TEST_CASE("the folder must hold the data set of the recipe", "[data]") {
  TinyFolder folder;
  folder.read();
  const GraphDataOptions right{.dataset = "cora", .dir = sst::recipe::Path{folder.path().filename().string()}};
  CHECK(load_graph(right, folder.path().parent_path(), kNodes).nodes == 4);
  GraphDataOptions wrong = right;
  wrong.dataset = "pubmed";
  CHECK_THROWS_WITH(load_graph(wrong, folder.path().parent_path(), kNodes),
                    ContainsSubstring("holds the data set 'cora', the recipe says 'pubmed'"));
  const auto problems = check_graph_files(wrong, folder.path().parent_path(), kNodes).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].key == "data.dir");
}

TEST_CASE("missing features matter only where they are used", "[data]") {
  TinyFolder folder;
  folder.meta["name"] = "disease_nc";
  folder.meta["features"] = 0;
  folder.remove_sparse_features();
  folder.read();
  GraphDataOptions options{.dataset = "disease_nc", .dir = sst::recipe::Path{folder.path().string()}};
  const auto problems = check_graph_files(options, "elsewhere", kNodes).problems;
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0].message, ContainsSubstring("holds no features"));
  CHECK_THAT(problems[0].hint, ContainsSubstring("use_feats: false"));
  options.use_feats = false;
  CHECK(check_graph_files(options, "elsewhere", kNodes).problems.empty());
}

TEST_CASE("a folder that is absent altogether is no problem of the recipe", "[data]") {
  const GraphDataOptions options{.dataset = "cora", .dir = sst::recipe::Path{"nowhere/at/all"}};
  CHECK(check_graph_files(options, "data", kNodes).problems.empty());
}
