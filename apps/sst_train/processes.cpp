#include "processes.hpp"

#include <torch/cuda.h>

#include "core/number.hpp"
#include "dist/local_launch.hpp"

namespace sst::app {
namespace {

/// How many processes `--nproc` asks for.
int64_t processes(const std::string& word) {
  if (word == "gpu") {
    const auto devices = static_cast<int64_t>(torch::cuda::device_count());
    if (devices == 0) throw UserError("--nproc is gpu, but this machine has no CUDA device", "give a number");
    return devices;
  }
  const int64_t count = number_from<int64_t>(word).value_or(0);
  if (count < 1 || count > 1024) throw UserError("--nproc is '" + word + "'", "give a number from 1 to 1024, or gpu");
  return count;
}

/// The command line that each of the processes gets.
std::vector<std::string> without_nproc(const std::vector<std::string>& arguments) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--nproc")
      ++i;
    else if (arguments[i].rfind("--nproc=", 0) != 0)
      kept.push_back(arguments[i]);
  }
  return kept;
}

}  // namespace

void add_nproc_option(CLI::App& command, std::string& nproc, const std::string& what) {
  command.add_option("--nproc", nproc, "processes " + what)->type_name("N");
}

std::optional<ExitCode> run_processes(const std::string& nproc, const dist::Launch& launch, const CommonFlags& common) {
  if (nproc.empty()) return std::nullopt;
  if (!launch.is_single())
    throw UserError("--nproc starts processes, but a launcher has already started this one", "leave --nproc out");
  const int64_t count = processes(nproc);
  if (count == 1) return std::nullopt;
  return dist::run_locally(count, without_nproc(common.arguments));
}

CommonFlags flags_of_member(const CommonFlags& common, const dist::Launch& launch) {
  CommonFlags flags = common;
  flags.quiet = common.quiet || launch.rank > 0 || dist::was_launched_locally();
  return flags;
}

}  // namespace sst::app
