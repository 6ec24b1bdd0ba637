#include "run/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "run/tensorboard.hpp"

namespace sst::run {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const fs::path& path, const char* verb) {
  throw ResourceError("cannot " + std::string(verb) + " " + path.string() + ": " + std::strerror(errno));
}

int open_for_append(const fs::path& path, bool keep) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (keep ? 0 : O_TRUNC), 0644);
  if (file < 0) fail(path, "open");
  return file;
}

void append(int file, const fs::path& path, std::string_view text) {
  ssize_t written = ::write(file, text.data(), text.size());
  while (written < 0 && errno == EINTR) written = ::write(file, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  if (written >= 0) errno = ENOSPC;  // a short write to a regular file: the disk is full
  fail(path, "write");
}

std::optional<int64_t> step_of_json(std::string_view line) {
  const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number_integer()) return {};
  return parsed["step"].get<int64_t>();
}

std::optional<int64_t> step_of_csv(std::string_view line) {
  const auto cells = split(line, ',');
  if (cells.size() < 5 || cells[2].empty() || cells[2].find_first_not_of("0123456789") != std::string::npos) return {};
  return std::stoll(cells[2]);
}

/// Keeps the lines up to `step`; a line without a readable step is one that a kill tore. `head` lines are
/// kept as is.
template <class StepOf>
void cut_back(const fs::path& path, int64_t step, size_t head, StepOf step_of) {
  if (!path_surely_exists(path)) return;
  const std::string text = read_file(path);
  std::string kept;
  size_t number = 0;
  for (size_t start = 0; start < text.size(); ++number) {
    const size_t end = text.find('\n', start);
    if (end == std::string::npos) break;
    const std::string_view line = std::string_view(text).substr(start, end - start);
    const auto at = number < head ? std::optional<int64_t>(0) : step_of(line);
    if (at && *at <= step) kept.append(line).push_back('\n');
    start = end + 1;
  }
  if (kept != text) write_file_atomically(path, kept);
}

std::string csv_cell(const MetricValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return Json(*number).dump();  // null where not finite
  if (const auto* count = std::get_if<int64_t>(&value)) return std::to_string(*count);
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    std::string cells;
    for (const double number : *list) cells += (cells.empty() ? "" : " ") + Json(number).dump();
    return cells;
  }
  std::string quoted = "\"";
  for (const char c : std::get<std::string>(value)) {
    if (c == '"') quoted += '"';
    quoted += c == '\n' || c == '\r' ? ' ' : c;
  }
  return quoted + "\"";
}

constexpr std::string_view kCsvHead = "time,kind,step,name,value\n";

}  // namespace

std::string metric_line(std::string_view time, std::string_view kind, int64_t step, const MetricFields& fields) {
  Json line = {{"v", 1}, {"time", time}, {"kind", kind}, {"step", step}};
  Json nonfinite = Json::array();
  for (const auto& [name, value] : fields) {
    std::visit([&, &key = name](const auto& held) { line[key] = held; }, value);
    if (const auto* number = std::get_if<double>(&value); number && !std::isfinite(*number)) {
      line[name] = nullptr;
      nonfinite.push_back(name);
    }
  }
  if (!nonfinite.empty()) line["nonfinite"] = std::move(nonfinite);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Journal::Journal(const fs::path& run_dir, const Options& options, std::optional<int64_t> resumed_step)
    : run_dir_(run_dir), options_(options) {
  open(resumed_step);
}

void Journal::open(std::optional<int64_t> resumed_step) {
  const bool keep = resumed_step.has_value();
  if (options_.jsonl) {
    if (keep) cut_back(run_dir_ / "metrics.jsonl", *resumed_step, 0, step_of_json);
    jsonl_ = open_for_append(run_dir_ / "metrics.jsonl", keep);
  }
  if (options_.csv) {
    if (keep) cut_back(run_dir_ / "metrics.csv", *resumed_step, 1, step_of_csv);
    csv_ = open_for_append(run_dir_ / "metrics.csv", keep);
    if (::lseek(csv_, 0, SEEK_END) == 0) append(csv_, run_dir_ / "metrics.csv", kCsvHead);
  }
  if (options_.tensorboard) {
    std::optional<int64_t> purge_from;
    if (keep) purge_from = *resumed_step + 1;
    events_ = std::make_unique<EventFile>(run_dir_ / "tb", purge_from);
  }
}

Journal::~Journal() { close(); }

void Journal::close() {
  for (int* file : {&jsonl_, &csv_})
    if (*file >= 0) ::close(std::exchange(*file, -1));
  events_.reset();
}

void Journal::rewind(int64_t step) {
  close();
  open(step);
}

void Journal::event(int64_t step, const std::string& event, MetricFields fields) {
  fields.insert(fields.begin(), {"event", event});
  record("event", step, fields);
}

void Journal::record(std::string_view kind, int64_t step, const MetricFields& fields) {
  const std::string time = utc_now(/*milliseconds=*/true);
  if (jsonl_ >= 0) append(jsonl_, run_dir_ / "metrics.jsonl", metric_line(time, kind, step, fields));
  if (csv_ >= 0) {
    std::string lines;
    for (const auto& [name, value] : fields)
      lines += time + "," + std::string(kind) + "," + std::to_string(step) + "," + name + "," + csv_cell(value) + "\n";
    append(csv_, run_dir_ / "metrics.csv", lines);
  }
  if (!events_) return;
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [name, value] : fields)
    if (const auto* number = std::get_if<double>(&value)) scalars.emplace_back(name, *number);
  if (!scalars.empty()) events_->scalars(step, scalars);
}

}  // namespace sst::run
