#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "report/table.hpp"

namespace sst::testing {

inline report::RunRecord made_run(const std::string& method, const std::string& rank, int64_t seed, double f1) {
  report::RunRecord record;
  record.path = "runs/" + method + rank + "-s" + std::to_string(seed);
  record.keys = {
      {"name", "cora"}, {"method.name", method}, {"seed", std::to_string(seed)}, {"report.metric", "test/f1"}};
  if (!rank.empty()) record.keys["method.rank"] = rank;
  record.seed = seed;
  record.state = "finished";
  record.step = 500;
  record.results = {{"test/f1", f1}, {"test/loss", 0.5}};
  record.parameters_total = 20000;
  record.parameters_trainable = rank.empty() ? 20000 : 1000 * std::stoll(rank);
  record.estimated_bytes = 2.0 * 1024 * 1024;
  record.measured_bytes = 3.0 * 1024 * 1024;
  record.seconds = 10;
  record.version = "0.1.0 (abcdef0)";
  for (int64_t step = 1; step <= 50; ++step) {
    record.curves["train/loss"].push_back({step, 1.0 / static_cast<double>(step)});
    record.curves["valid/loss"].push_back({step, 1.2 / static_cast<double>(step)});
    record.curves["valid/f1"].push_back({step, f1 - 0.5 / static_cast<double>(step)});
  }
  return record;
}

/// Full, LoRA and SST over three seeds; one LoRA run diverged, one SST point never ran, LoRA of rank 1 failed twice.
inline std::vector<report::RunRecord> made_runs() {
  std::vector<report::RunRecord> runs = {
      made_run("sst", "2", 1, 0.78),  made_run("sst", "2", 2, 0.77),   made_run("full", "", 1, 0.81),
      made_run("full", "", 2, 0.815), made_run("full", "", 3, 0.82),   made_run("lora", "10", 1, 0.70),
      made_run("lora", "10", 2, 0.1), made_run("lora", "10", 3, 0.74), made_run("lora", "2", 1, 0.0),
      made_run("lora", "2", 2, 0.0),
  };
  runs[6].state = "diverged";
  runs[6].reason = "loss is nan";
  runs[6].step = 1234;
  runs[8].state = runs[9].state = "failed";
  report::RunRecord missing;
  missing.keys = {{"method.name", "sst"}, {"method.rank", "2"}, {"seed", "3"}};
  missing.seed = 3;
  runs.push_back(missing);
  return runs;
}

inline report::TableSpec made_spec() {
  report::TableSpec spec;
  spec.rows = {"method.name", "method.rank"};
  spec.compare_to = {{"method.name", "full"}};
  spec.paper_table = "SST, Table 5";
  spec.paper = {{{{"method.name", "full"}}, 81.13, 0.2}, {{{"method.name", "sst"}, {"method.rank", "2"}}, 77.5, {}}};
  return spec;
}

}  // namespace sst::testing
