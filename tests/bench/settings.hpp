#pragma once

#include <benchmark/benchmark.h>

#include <string>

namespace sst::bench {

/// How a benchmark here is measured: 30 repeats after a warm-up, median with the 10th and the 90th percentile, wall and
/// CPU time of the whole process. One that sets state.counters["bytes"] to what a run reads gets a rate per core.
///     BENCHMARK(my_benchmark)->Apply(bench::measured);
void measured(benchmark::internal::Benchmark* benchmark);

/// The same for work that takes a good part of a second: 6 repeats of one run after one that is not counted.
void measured_briefly(benchmark::internal::Benchmark* benchmark);

/// The table shows a benchmark's wall time as a share of its peer's, both measured in this run. Names are those of the
/// table, without "/real_time" and what follows it.
bool beside(const std::string& name, const std::string& peer);

/// The table shows how many times faster a benchmark is than `seconds` of CPU time that `peer` took elsewhere.
bool beside_published(const std::string& name, double seconds, const std::string& peer);

/// Sets LibTorch's threads for as long as it lives.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace sst::bench
