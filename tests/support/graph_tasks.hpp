#pragma once

#include "data/graph.hpp"

namespace sst::testing {

constexpr auto kNodes = data::GraphTask::kNodeClassification;
constexpr auto kLinks = data::GraphTask::kLinkPrediction;

}  // namespace sst::testing
