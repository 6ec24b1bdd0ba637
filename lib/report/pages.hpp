#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/table.hpp"

/// The pages a run or a sweep leaves behind: report.md, report.json, report.html, and report.csv, report.tex
/// on demand.
namespace sst::report {

/// Writes the page of one run into its folder, in the formats of `spec`.
///   returns  the files, in the order of spec.formats
///   throws   UserError for an unknown format, ResourceError where a file cannot be written
std::vector<std::filesystem::path> write_run_report(const std::filesystem::path& run_dir, const TableSpec& spec);

/// Writes a table over many runs into `folder`, which is made where it is missing.
std::vector<std::filesystem::path> write_table_report(const std::filesystem::path& folder, const Table& table);

/// The pages themselves.
std::string run_markdown(const RunRecord& run, const Table& table);
std::string run_html(const RunRecord& run, const Table& table);
std::string run_json(const RunRecord& run, const Table& table);
std::string table_markdown(const Table& table);
std::string table_html(const Table& table);
/// Every raw value: each cell with its values, each run with all its results, sizes and its resolved recipe.
/// Numbers of runs are as in their files (fractions); numbers of cells are in the table's unit, which stands
/// beside them.
std::string table_json(const Table& table);

/// "finished", "diverged at step 1,234: loss is nan".
std::string state_text(const RunRecord& run);

/// The recipe's name and seed, else the folder.
std::string run_title(const RunRecord& run);

/// What is known about a run besides its results, for people: {"trainable parameters", "1,204 (5.2%)"}, …
std::vector<std::pair<std::string, std::string>> run_facts(const RunRecord& run);

/// Aligned lines "  name    value": the essentials at the start of a run.
std::string facts_text(const std::vector<std::pair<std::string, std::string>>& facts);

/// What a terminal shows at the end of a run: its results, then run_facts.
std::string run_text(const RunRecord& run);

}  // namespace sst::report
