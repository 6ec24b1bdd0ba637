#include "run/matched_rates.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "run/weight_statistics.hpp"

namespace sst::run {
namespace {

const std::string kRecordHint = "record the run to be matched with logging.weights=1, for all its steps";

std::ifstream opened(const std::filesystem::path& file) {
  std::ifstream lines(file);
  if (!lines)
    throw DataError("cannot read '" + file.string() + "'", "schedule.file names a run directory; " + kRecordHint);
  return lines;
}

}  // namespace

MatchedRates::MatchedRates(const std::filesystem::path& source, bool per_matrix, int64_t total_steps,
                           const std::vector<optim::Parameter>& parameters)
    : file_(is_folder(source) ? source / "metrics.jsonl" : source), per_matrix_(per_matrix) {
  const std::string names = decayed_names_hash(parameters);
  std::ifstream lines = opened(file_);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string place = fmt::format("{}:{}", file_.string(), ++number);
    if (line.find("\"kind\":\"weights\"") == std::string::npos) continue;
    try {
      const auto entry = nlohmann::json::parse(line);
      if (entry.at("weights/names") != names)
        throw DataError(place + ": these are weights of other tensors than this model trains",
                        "match a run of the same model, method and optim.weight_decay_on");
      Record record{.rates = {.base = entry.at("weights/lr"), .low_rank = entry.at("weights/lr_low_rank")},
                    .norms = entry.at("weights/norms")};
      for (const double norm : record.norms)
        if (!(norm > 0)) throw DataError(fmt::format("{}: a tensor of norm {} has no effective rate", place, norm));
      if (const auto step = entry.at("step").get<int64_t>(); step != static_cast<int64_t>(records_.size()) + 1)
        throw DataError(fmt::format("{}: the weights of step {} follow those of step {}", place, step, records_.size()),
                        kRecordHint);
      if (!per_matrix_) record.norms = {joint_norm(record.norms)};
      records_.push_back(std::move(record));
    } catch (const nlohmann::json::exception& problem) {
      throw DataError(fmt::format("{}: {}", place, problem.what()), kRecordHint);
    }
  }
  const auto recorded = static_cast<int64_t>(records_.size());
  if (recorded == 0 || recorded < total_steps)
    throw DataError(fmt::format("{} holds the weights of {} steps, but this run takes {}", file_.string(), recorded,
                                total_steps == 0 ? "some" : std::to_string(total_steps)),
                    kRecordHint);
}

MatchedRates::Rates MatchedRates::at(int64_t step, const std::vector<optim::Parameter>& parameters) const {
  if (step >= static_cast<int64_t>(records_.size()))
    throw DataError(fmt::format("{} ends with step {}", file_.string(), records_.size()), kRecordHint);
  const Record& record = records_[static_cast<size_t>(step)];
  const std::vector<double> norms = decayed_norms(parameters);
  if (!per_matrix_) {
    const double factor = joint_norm(norms) / record.norms.front();
    return {.rates = {.base = record.rates.base * factor, .low_rank = record.rates.low_rank * factor}, .factors = {}};
  }
  Rates rates{.rates = record.rates, .factors = std::vector<double>(parameters.size(), 1)};
  for (size_t i = 0, decayed = 0; i < parameters.size(); ++i)
    if (parameters[i].decay) rates.factors[i] = norms[decayed] / record.norms[decayed], ++decayed;
  return rates;
}

}  // namespace sst::run
