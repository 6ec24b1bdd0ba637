#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "core/memory.hpp"
#include "core/version.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

constexpr int kRepeats = 30, kBriefRepeats = 6;
constexpr double kWarmUpSeconds = 0.05, kSecondsPerRepeat = 0.02;

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

void percentiles(benchmark::internal::Benchmark* benchmark) {
  benchmark->MeasureProcessCPUTime()
      ->UseRealTime()
      ->ReportAggregatesOnly()
      ->ComputeStatistics("p10", [](const std::vector<double>& values) { return percentile(values, 0.1); })
      ->ComputeStatistics("p90", [](const std::vector<double>& values) { return percentile(values, 0.9); });
}

struct Peer {
  std::string name;
  std::optional<double> cpu_seconds;  ///< measured elsewhere
};

std::map<std::string, Peer>& peers() {
  static std::map<std::string, Peer> map;
  return map;
}

/// The name as the table has it: "adamw_step/tensors:1/rows:768/cols:3072/repeats:30/process_time/real_time" without
/// what says how it was measured.
std::string short_name(const std::string& name) {
  std::string kept;
  for (size_t start = 0; start <= name.size();) {
    const size_t end = std::min(name.find('/', start), name.size());
    const std::string part = name.substr(start, end - start);
    if (part.find("repeats:") == 0 || part.find("min_") == 0 || part.find("iterations:") == 0) break;
    if (part == "process_time" || part == "real_time") break;
    kept += (kept.empty() ? "" : "/") + part;
    start = end + 1;
  }
  return kept;
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.2f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

/// One line per benchmark: times, and the ratio to its peer.
class TableReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    fmt::print("sst-train {} ({}), {} threads unless a line says otherwise\n", version_number(), version_commit(),
               at::get_num_threads());
    fmt::print("{:<66} {:>10} {:>10} {:>10} {:>10}  {}\n", "", "median", "p10", "p90", "CPU", "beside its peer");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = short_name(run.benchmark_name());
      if (run.error_occurred) {
        fmt::print("{:<66} {}\n", name, run.error_message);
        continue;
      }
      const double unit = benchmark::GetTimeUnitMultiplier(run.time_unit);
      const double wall = run.GetAdjustedRealTime() / unit, cpu = run.GetAdjustedCPUTime() / unit;
      if (run.aggregate_name == "median") {
        const auto counter = [&](const char* which) {
          const auto found = run.counters.find(which);
          return found == run.counters.end() ? 0.0 : found->second.value;
        };
        medians_[name] = {.wall = wall, .cpu = cpu, .amortised = counter("amortised_s"), .peak = counter("peak_bytes")};
        const double bytes = counter("bytes");
        rate_ = bytes > 0 ? fmt::format("{:.1f} MB/s per core  ", bytes / cpu / 1e6) : "";
      }
      if (run.aggregate_name == "p10") p10_ = wall;
      if (run.aggregate_name == "p90") {
        const Medians& median = medians_[name];
        fmt::print("{:<66} {:>10} {:>10} {:>10} {:>10}  {}\n", name, time_text(median.wall), time_text(p10_),
                   time_text(wall), time_text(median.cpu), rate_ + comparison(name) + memory(name));
      }
    }
    std::fflush(stdout);
  }

 private:
  struct Medians {
    double wall = 0, cpu = 0;  ///< seconds
    double amortised = 0;      ///< seconds with their share of what happens once in a while; 0: the same
    double peak = 0;           ///< bytes; 0: not measured
  };

  /// Of the benchmark that stands beside this one; null where none was measured in this run.
  const Medians* beside_it(const std::string& name) const {
    const auto found = peers().find(name);
    const auto other = found == peers().end() ? medians_.end() : medians_.find(found->second.name);
    return other == medians_.end() ? nullptr : &other->second;
  }

  std::string comparison(const std::string& name) const {
    const auto found = peers().find(name);
    if (found == peers().end()) return "";
    const Medians& mine = medians_.at(name);
    const Peer& peer = found->second;
    if (peer.cpu_seconds) return fmt::format("{:.1f}x as fast as {}", *peer.cpu_seconds / mine.cpu, peer.name);
    const Medians* const base = beside_it(name);
    if (base == nullptr) return "";
    const std::string all =
        mine.amortised > 0 ? fmt::format(" ({:.2f} with decompositions)", mine.amortised / base->wall) : "";
    return fmt::format("{:.2f}{} of {}", mine.wall / base->wall, all, peer.name);
  }

  /// Peak memory, and its share of the peer's.
  std::string memory(const std::string& name) const {
    const double peak = medians_.at(name).peak;
    if (peak == 0) return "";
    const Medians* const base = beside_it(name);
    const std::string share = base == nullptr ? "" : fmt::format(" ({:.2f})", peak / base->peak);
    return fmt::format("  peak {:.2f} GB{}", peak / 1e9, share);
  }

  std::map<std::string, Medians> medians_;
  double p10_ = 0;
  std::string rate_;  ///< of the benchmark whose lines are coming
};

}  // namespace

void measured(benchmark::internal::Benchmark* benchmark) {
  benchmark->MinWarmUpTime(kWarmUpSeconds)->MinTime(kSecondsPerRepeat)->Repetitions(kRepeats)->Apply(percentiles);
}

void measured_briefly(benchmark::internal::Benchmark* benchmark) {
  benchmark->Iterations(1)->Repetitions(kBriefRepeats)->Apply(percentiles);
}

bool beside(const std::string& name, const std::string& peer) {
  return peers().emplace(name, Peer{peer, std::nullopt}).second;
}

bool beside_published(const std::string& name, double seconds, const std::string& peer) {
  return peers().emplace(name, Peer{peer, seconds}).second;
}

Threads::Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
Threads::~Threads() { at::set_num_threads(before_); }

}  // namespace sst::bench

int main(int count, char** arguments) {
  sst::keep_freed_memory();  // as the program while it trains
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::AddCustomContext("threads", fmt::format("{}", at::get_num_threads()));
  sst::bench::TableReporter table;
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
}
