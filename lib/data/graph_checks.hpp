#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/graph.hpp"
#include "data/problem.hpp"

namespace sst::data {

/// What `data` gets wrong before any file is looked at: keys that are missing, that do not go together, or
/// that the data set or the task refuses.
std::vector<Problem> check_graph_options(const GraphDataOptions& options, GraphTask task);

struct CheckedGraph {
  std::vector<Problem> problems;
  std::optional<Graph> graph;  ///< there when it was read and nothing is wrong
};

/// What the data themselves get wrong: a folder of another set, malformed, or without the features asked for; a graph too
/// small for the shares of its split. Nothing at all when the folder is absent: only the caller knows whether that is an
/// error (graph_folder() says where it should be). Call it only when check_graph_options found nothing.
CheckedGraph check_graph_files(const GraphDataOptions& options, const std::filesystem::path& data_root, GraphTask task);

}  // namespace sst::data
