#include "data/graph_checks.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/graph_tasks.hpp"

using sst::data::check_graph_files;
using sst::data::check_graph_options;
using sst::data::GraphDataOptions;
using sst::data::GraphTask;
using sst::testing::kLinks;
using sst::testing::kNodes;

namespace {

GraphDataOptions hgcn(const std::string& dataset) {
  return {.dataset = dataset, .dir = sst::recipe::Path{"hgcn/" + dataset}};
}

/// "key id" of the only problem; anything else makes the comparison fail with what was found.
std::string only_problem(const GraphDataOptions& options, GraphTask task) {
  const auto problems = check_graph_options(options, task);
  if (problems.size() == 1 && !problems[0].message.empty() && !problems[0].hint.empty())
    return problems[0].key + " " + problems[0].id;
  return std::to_string(problems.size()) + " problems";
}

}  // namespace

TEST_CASE("every published pair of task and data set is accepted", "[data]") {
  for (const std::string dataset : {"cora", "pubmed", "airport"})
    for (const GraphTask task : {kNodes, kLinks}) CHECK(check_graph_options(hgcn(dataset), task).empty());
  CHECK(check_graph_options(hgcn("disease_nc"), kNodes).empty());
  CHECK(check_graph_options(hgcn("disease_lp"), kLinks).empty());
  for (const GraphTask task : {kNodes, kLinks}) CHECK(check_graph_options({.format = "sir_tree"}, task).empty());
}

TEST_CASE("a data set is refused for the task it was not made for", "[data]") {
  CHECK(only_problem(hgcn("disease_nc"), kLinks) == "data.dataset E-dataset");
  CHECK(only_problem(hgcn("disease_lp"), kNodes) == "data.dataset E-dataset");
  CHECK_THAT(check_graph_options(hgcn("disease_nc"), kLinks)[0].hint, ContainsSubstring("disease_lp"));
}

TEST_CASE("a folder needs its name and its place, and a made graph neither", "[data]") {
  CHECK(check_graph_options({}, kNodes).size() == 2);
  CHECK(only_problem({.dataset = "cora"}, kNodes) == "data.dir E-missing");
  CHECK(only_problem({.dir = sst::recipe::Path{"x"}}, kNodes) == "data.dataset E-missing");
  CHECK(only_problem({.format = "sir_tree", .dataset = "cora"}, kNodes) == "data.dataset E-key");
  CHECK(only_problem({.format = "sir_tree", .dir = sst::recipe::Path{"x"}}, kNodes) == "data.dir E-key");
}

TEST_CASE("shares are refused where the split is fixed and only there", "[data]") {
  GraphDataOptions options = hgcn("cora");
  options.valid_prop = 0.1;
  CHECK(only_problem(options, kNodes) == "data.valid_prop E-split");
  CHECK(check_graph_options(options, kLinks).empty());
  options.dataset = "airport";
  CHECK(check_graph_options(options, kNodes).empty());
}

TEST_CASE("shares must be positive and leave something to train on", "[data]") {
  GraphDataOptions options = hgcn("airport");
  options.valid_prop = 0.0;
  CHECK(only_problem(options, kNodes) == "data.valid_prop E-split");
  options.valid_prop = 0.5;
  options.test_prop = 0.5;
  CHECK(only_problem(options, kLinks) == "data.test_prop E-split");
  GraphDataOptions tree{.format = "sir_tree", .valid_prop = 0.4};  // the published test share is 0.6
  CHECK(only_problem(tree, kNodes) == "data.valid_prop E-split");
}

TEST_CASE("a clean split is for Airport's nodes", "[data]") {
  GraphDataOptions options = hgcn("airport");
  options.split = "clean";
  CHECK(check_graph_options(options, kNodes).empty());
  CHECK(only_problem(options, kLinks) == "data.split E-split");
  options.dataset = "cora";
  CHECK(only_problem(options, kNodes) == "data.split E-split");
}

TEST_CASE("Airport has no variant without features and link prediction no giant trees", "[data]") {
  GraphDataOptions options = hgcn("airport");
  options.use_feats = false;
  CHECK(only_problem(options, kNodes) == "data.use_feats E-features");
  const GraphDataOptions giant{.format = "sir_tree", .nodes = 100'000};
  CHECK(check_graph_options(giant, kNodes).empty());
  CHECK(only_problem(giant, kLinks) == "data.nodes E-nodes");
}

TEST_CASE("several mistakes are reported together", "[data]") {
  GraphDataOptions options{.dataset = "airport", .use_feats = false, .test_prop = 1.0, .split = "clean"};
  CHECK(check_graph_options(options, kLinks).size() == 4);
}

TEST_CASE("a made graph that is too small for its split is reported by its size", "[data]") {
  const GraphDataOptions tiny{.format = "sir_tree", .nodes = 8};
  for (const GraphTask task : {kNodes, kLinks}) {
    const auto problems = check_graph_files(tiny, "data", task).problems;
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].key == "data.nodes");
  }
  const GraphDataOptions usual{.format = "sir_tree"};
  for (const GraphTask task : {kNodes, kLinks}) CHECK(check_graph_files(usual, "data", task).problems.empty());
}
