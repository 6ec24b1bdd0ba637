#pragma once

#include <cstdint>

#include "data/graph.hpp"

namespace sst::data {

/// An epidemic on a random tree, made in memory as HGCN's Disease graphs were made in files: a tree grown
/// breadth first, risk factors that children inherit from their parents, and an infection that spreads along
/// the edges. The label says whether a node was ever infected; the features are the risk factors as observed,
/// with errors. All arithmetic is in whole numbers, so the graph is the same on every machine.
///   nodes     at least 2
///   task      families have 2 to 6 children for node classification and 1 to 11 for link prediction, as in
///   the
///             Disease graphs
///   returns   features float32 [nodes, 11] in [0, 1], the last one constant; labels 0 and 1
///   source    docs/decisions/0003-sir-tree.md
Graph make_sir_tree(int64_t nodes, uint64_t split_seed, GraphTask task);

}  // namespace sst::data
