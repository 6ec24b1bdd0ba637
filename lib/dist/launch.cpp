#include "dist/launch.hpp"

#include <fmt/core.h>

#include <cctype>
#include <cstdlib>

#include "core/error.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace sst::dist {
namespace {

constexpr int kSlurmPorts = 20000, kSlurmPortTries = 16;
constexpr size_t kMostNodes = 1 << 20;

[[noreturn]] void fail(const std::string& message, const std::string& hint) { throw DistributedError(message, hint); }

/// Reads one launcher's variables; every one that is missing is named together with one that is there.
class Variables {
 public:
  Variables(const Environment& environment, std::string launcher, const char* present)
      : environment_(environment), launcher_(std::move(launcher)), present_(present) {}

  std::string text(const char* name) const {
    const auto value = environment_(name);
    if (!value || value->empty())
      fail(fmt::format("{} is set, but {} is not", present_, name),
           fmt::format("start the processes with {}, which sets both, or unset {} to run one process", launcher_,
                       present_));
    return *value;
  }

  int64_t number(const char* name) const {
    const std::string value = text(name);
    const auto number = number_from<int64_t>(value);
    if (number.value_or(-1) < 0)
      fail(fmt::format("{} is '{}', which is not a number of processes or of one", name, value),
           fmt::format("{} sets it; do not set it by hand", launcher_));
    return *number;
  }

  int64_t number_or(const char* name, int64_t otherwise) const {
    return environment_(name).value_or("").empty() ? otherwise : number(name);
  }

 private:
  const Environment& environment_;
  std::string launcher_;
  const char* present_;
};

void check(const Launch& launch, const char* rank, const char* size) {
  if (launch.size < 1 || launch.rank >= launch.size)
    fail(fmt::format("{} is {}, but {} is {}", rank, launch.rank, size, launch.size),
         "ranks count from 0 up to one below the number of processes");
}

bool is_set(const Environment& environment, const char* name) { return !environment(name).value_or("").empty(); }

std::optional<Launch> torchrun(const Environment& environment) {
  const char* present = nullptr;
  for (const char* name : {"RANK", "WORLD_SIZE"})
    if (is_set(environment, name)) present = name;
  if (present == nullptr) return std::nullopt;
  const Variables group(environment, "torchrun or --nproc", present);
  Launch launch{.by = Launch::By::kTorchrun,
                .rank = group.number("RANK"),
                .size = group.number("WORLD_SIZE"),
                .local_rank = group.number("LOCAL_RANK"),
                .local_size = group.number_or("LOCAL_WORLD_SIZE", 1)};
  check(launch, "RANK", "WORLD_SIZE");
  launch.host = group.text("MASTER_ADDR");
  launch.port = static_cast<int>(group.number("MASTER_PORT"));
  if (launch.port < 1 || launch.port > 65535)
    fail(fmt::format("MASTER_PORT is {}, which is no port", launch.port), "give one from 1024 to 65535");
  launch.store_is_there = environment("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
  return launch;
}

std::optional<Launch> slurm(const Environment& environment) {
  // A batch script itself runs outside a step: there it is one process, whatever the job asked for.
  if (!is_set(environment, "SLURM_STEP_ID") || environment("SLURM_NTASKS").value_or("1") == "1") return std::nullopt;
  if (!is_set(environment, "SLURM_NTASKS") && !is_set(environment, "SLURM_PROCID")) return std::nullopt;
  const Variables group(environment, "srun", is_set(environment, "SLURM_NTASKS") ? "SLURM_NTASKS" : "SLURM_PROCID");
  Launch launch{.by = Launch::By::kSlurm,
                .rank = group.number("SLURM_PROCID"),
                .size = group.number("SLURM_NTASKS"),
                .local_rank = group.number("SLURM_LOCALID"),
                .local_size = group.number_or("SLURM_NTASKS_PER_NODE", 1)};
  check(launch, "SLURM_PROCID", "SLURM_NTASKS");
  const auto nodes = expand_node_list(group.text("SLURM_JOB_NODELIST"));
  launch.host = nodes.front();
  const int64_t job = group.number("SLURM_JOB_ID");
  launch.port = static_cast<int>(kSlurmPorts + job % kSlurmPorts);
  launch.port_tries = kSlurmPortTries;
  launch.job = fmt::format("{}.{}.{}", job, group.text("SLURM_STEP_ID"), group.number_or("SLURM_RESTART_COUNT", 0));
  return launch;
}

std::optional<Launch> mpi(const Environment& environment) {
  struct Names {
    const char *rank, *size, *local_rank, *local_size;
  };
  for (const Names& names : {Names{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
                                   "OMPI_COMM_WORLD_LOCAL_SIZE"},
                             {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}}) {
    if (!is_set(environment, names.rank) && !is_set(environment, names.size)) continue;
    const Variables group(environment, "mpirun", is_set(environment, names.rank) ? names.rank : names.size);
    Launch launch{.by = Launch::By::kMpi, .rank = group.number(names.rank), .size = group.number(names.size)};
    check(launch, names.rank, names.size);
    if (launch.is_single()) return launch;
    launch.local_rank = group.number_or(names.local_rank, launch.rank);
    launch.local_size = group.number_or(names.local_size, launch.size);
    // MPI tells no address: the leader writes it where all processes look. Its job has a name that no other job has.
    for (const char* name : {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "HYDI_CONTROL_FD"})
      if (launch.job.empty()) launch.job = environment(name).value_or("");
    if (launch.job.empty())
      fail(fmt::format("{} is set, but none of PMIX_NAMESPACE, OMPI_MCA_ess_base_jobid and PMI_JOBID is", names.rank),
           "set PMI_JOBID to a name that no other run has, the same for every process");
    for (char& letter : launch.job)
      if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '-') letter = '.';
    return launch;
  }
  return std::nullopt;
}

}  // namespace

Launch detect_launch(const Environment& environment) {
  for (const auto read : {torchrun, slurm, mpi})
    if (const auto launch = read(environment)) return launch->is_single() ? Launch{} : *launch;
  return {};
}

Launch detect_launch() {
  return detect_launch([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

namespace {

[[noreturn]] void fail_list(const std::string& list) {
  fail(fmt::format("the list of nodes '{}' cannot be read", list), "SLURM_JOB_NODELIST looks like n[01-04,7],login1");
}

/// "01-04,7" between brackets.
std::vector<std::string> expand_numbers(const std::string& numbers, const std::string& list) {
  std::vector<std::string> expanded;
  for (const std::string& part : split(numbers, ',')) {
    const size_t dash = part.find('-');
    const std::string first = part.substr(0, dash), last = dash == std::string::npos ? first : part.substr(dash + 1);
    const auto number = [&](const std::string& digits) {
      const auto value = number_from<uint32_t>(digits);
      if (!value) fail_list(list);
      return *value;
    };
    const uint64_t begin = number(first), end = number(last);
    if (end < begin || end - begin >= kMostNodes) fail_list(list);
    for (uint64_t value = begin; value <= end; ++value) expanded.push_back(fmt::format("{:0{}}", value, first.size()));
  }
  return expanded;
}

}  // namespace

std::vector<std::string> expand_node_list(const std::string& list) {
  std::vector<std::string> nodes, prefixes = {""};
  for (size_t at = 0; at <= list.size(); ++at) {
    const char letter = at < list.size() ? list[at] : ',';
    if (letter == '[') {
      const size_t close = list.find(']', at);
      if (close == std::string::npos) fail_list(list);
      std::vector<std::string> longer;
      for (const std::string& prefix : prefixes)
        for (const std::string& number : expand_numbers(list.substr(at + 1, close - at - 1), list))
          longer.push_back(prefix + number);
      prefixes = std::move(longer);
      at = close;
    } else if (letter == ',') {
      for (std::string& node : prefixes) node.empty() ? fail_list(list) : nodes.push_back(std::move(node));
      prefixes = {""};
    } else if (letter == ']') {
      fail_list(list);
    } else {
      for (std::string& prefix : prefixes) prefix += letter;
    }
    if (nodes.size() + prefixes.size() > kMostNodes) fail_list(list);
  }
  return nodes;
}

}  // namespace sst::dist
