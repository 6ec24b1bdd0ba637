#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "dist/launch.hpp"
#include "verb.hpp"

namespace sst::app {

/// `--nproc`. `what` the processes do ends the help line: "that train it together".
void add_nproc_option(CLI::App& command, std::string& nproc, const std::string& what);

/// Starts the processes that `--nproc` asks for, each with this command line, and waits for them; nothing where it asks
/// for none. Throws UserError for a bad number, or where a launcher has started this process already.
std::optional<ExitCode> run_processes(const std::string& nproc, const dist::Launch& launch, const CommonFlags& common);

/// The flags of one of several processes: the first one alone speaks.
CommonFlags flags_of_member(const CommonFlags& common, const dist::Launch& launch);

}  // namespace sst::app
