#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "tests/bench/settings.hpp"

namespace sst::bench {

namespace {

constexpr int kRepeats = 30;
constexpr double kWarmUpSeconds = 0.05, kSecondsPerRepeat = 0.02;

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

void measured(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMicrosecond)
      ->MinWarmUpTime(kWarmUpSeconds)
      ->MinTime(kSecondsPerRepeat)
      ->Repetitions(kRepeats)
      ->MeasureProcessCPUTime()
      ->UseRealTime()
      ->ReportAggregatesOnly()
      ->ComputeStatistics("p10", [](const std::vector<double>& values) { return percentile(values, 0.1); })
      ->ComputeStatistics("p90", [](const std::vector<double>& values) { return percentile(values, 0.9); });
}

}  // namespace sst::bench

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::AddCustomContext("threads", fmt::format("{}", at::get_num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
