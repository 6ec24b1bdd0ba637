#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sst::report {

/// A model with its smaller singular values dropped: one point of the curve that `sst-train prune` draws.
struct PrunePoint {
  double keep = 1;                             ///< share of the sum of singular values that each matrix keeps at least
  double removed = 0;                          ///< share of all singular values that is dropped
  double size = 1;                             ///< numbers of the matrices, factored where that is smaller, over all
  std::map<std::string, double> results = {};  ///< "valid/loss", …
};

/// Where a run keeps its curve.
inline constexpr const char* kPruneFile = "prune.json";

nlohmann::ordered_json to_json(const std::vector<PrunePoint>& curve);
/// Throws DataError.
std::vector<PrunePoint> prune_curve_from(const nlohmann::ordered_json& json);

}  // namespace sst::report
