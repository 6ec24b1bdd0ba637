#include "report/pages.hpp"

#include <fmt/format.h>

#include <functional>
#include <system_error>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "report/table_grid.hpp"

namespace sst::report {
namespace {

namespace fs = std::filesystem;

using Writers = std::vector<std::pair<std::string, std::function<std::string()>>>;

std::vector<fs::path> write_all(const fs::path& folder, const std::vector<std::string>& formats,
                                const Writers& writers) {
  std::vector<std::string> known;
  for (const auto& [format, write] : writers) known.push_back(format);
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw ResourceError("cannot make " + folder.string() + ": " + failure.message());
  std::vector<fs::path> files;
  for (const auto& format : formats) {
    const auto writer = std::find_if(writers.begin(), writers.end(), [&](const auto& w) { return w.first == format; });
    if (writer == writers.end())
      throw UserError("'report.formats' holds '" + format + "'", "known: " + join(known, ", "));
    files.push_back(folder / ("report." + format));
    write_file_atomically(files.back(), writer->second());
  }
  return files;
}

}  // namespace

std::string state_text(const RunRecord& run) {
  std::string text = run.state;
  if (run.state != "finished" && run.step > 0) text += " at step " + with_thousands(run.step);
  return run.reason.empty() ? text : text + ": " + run.reason;
}

std::string run_title(const RunRecord& run) {
  const auto name = run.keys.find("name");
  return name == run.keys.end() ? run.path : fmt::format("{}, seed {}", name->second, run.seed);
}

std::vector<std::pair<std::string, std::string>> run_facts(const RunRecord& run) {
  std::vector<std::pair<std::string, std::string>> facts = {{"state", state_text(run)}};
  const auto add = [&](const std::string& name, const std::string& text) {
    if (!text.empty()) facts.emplace_back(name, text);
  };
  if (run.step > 0) add("steps", with_thousands(run.step));
  if (run.parameters_total > 0) add("parameters", with_thousands(run.parameters_total));
  add("trainable parameters", parameters_text(run.parameters_trainable, run.parameters_total));
  if (run.estimated_bytes > 0) add("memory, estimated", human_bytes(run.estimated_bytes));
  if (run.measured_bytes > 0) add("memory, measured peak", human_bytes(run.measured_bytes));
  if (run.seconds > 0) add("time", human_duration(run.seconds));
  std::vector<std::string> split;
  for (const auto& [part, seconds] : run.time_split)
    if (seconds > 0) split.push_back(part + " " + human_duration(seconds));
  add("of which", join(split, ", "));
  add("version", run.version);
  add("folder", run.path);
  return facts;
}

std::vector<fs::path> write_run_report(const fs::path& run_dir, const TableSpec& spec) {
  const RunRecord run = read_run(run_dir);
  const Table table = make_table(run_title(run), {run}, spec);
  return write_all(run_dir, spec.formats,
                   {{"md", [&] { return run_markdown(run, table); }},
                    {"html", [&] { return run_html(run, table); }},
                    {"json", [&] { return run_json(run, table); }},
                    {"csv", [&] { return csv_table(table); }},
                    {"tex", [&] { return latex_table(result_grid(table, true)); }}});
}

std::vector<fs::path> write_table_report(const fs::path& folder, const Table& table) {
  return write_all(folder, table.spec.formats,
                   {{"md", [&] { return table_markdown(table); }},
                    {"html", [&] { return table_html(table); }},
                    {"json", [&] { return table_json(table); }},
                    {"csv", [&] { return csv_table(table); }},
                    {"tex", [&] { return latex_table(result_grid(table, !is_wide(table))); }}});
}

}  // namespace sst::report
