#include "report/prune_curve.hpp"

#include <cmath>

#include "core/error.hpp"

namespace sst::report {

nlohmann::ordered_json to_json(const std::vector<PrunePoint>& curve) {
  auto json = nlohmann::ordered_json::array();
  for (const PrunePoint& point : curve)
    json.push_back(
        {{"keep", point.keep}, {"removed", point.removed}, {"size", point.size}, {"results", point.results}});
  return json;
}

std::vector<PrunePoint> prune_curve_from(const nlohmann::ordered_json& json) try {
  std::vector<PrunePoint> curve;
  for (const auto& point : json) {
    PrunePoint& read = curve.emplace_back();
    point.at("keep").get_to(read.keep);
    point.at("removed").get_to(read.removed);
    point.at("size").get_to(read.size);
    for (const auto& [name, value] : point.at("results").items())  // JSON has null for what is not finite
      read.results[name] = value.is_number() ? value.get<double>() : NAN;
  }
  return curve;
} catch (const nlohmann::json::exception& error) {
  throw DataError(std::string("not the points of a pruning: ") + error.what());
}

}  // namespace sst::report
