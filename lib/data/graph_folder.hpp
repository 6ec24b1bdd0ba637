#pragma once

#include <filesystem>

#include "data/graph.hpp"

namespace sst::data {

/// Reads the folder that data_tools/prepare_graphs.py writes (layout: docs/formats.md) and checks all of it:
/// numbers in range, sorted, counted, finite, and the files unchanged since they were written.
///   throws    DataError with file (and line), reason and what to do
Graph read_graph_folder(const std::filesystem::path& folder);

/// The graph the options mean, read or made: `dir` relative to `data_root`, or an epidemic on a tree.
///   throws    DataError, also when the folder holds another data set than `dataset`, or lacks what the task
///   needs
Graph load_graph(const GraphDataOptions& options, const std::filesystem::path& data_root, GraphTask task);

/// Where `load_graph` reads; nothing for a graph made in memory.
std::optional<std::filesystem::path> graph_folder(const GraphDataOptions& options,
                                                  const std::filesystem::path& data_root);

}  // namespace sst::data
