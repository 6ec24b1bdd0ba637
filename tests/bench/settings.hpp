#pragma once

#include <benchmark/benchmark.h>

namespace sst::bench {

/// How every benchmark here is measured: 30 repeats after a warm-up, median with the 10th and the 90th percentile, in
/// microseconds, wall and CPU time of the whole process.
///     BENCHMARK(my_benchmark)->Apply(bench::measured);
void measured(benchmark::internal::Benchmark* benchmark);

}  // namespace sst::bench
