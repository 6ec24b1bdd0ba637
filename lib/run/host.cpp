#include "run/host.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>

namespace sst::run {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string job_id() {
  for (const char* variable : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"})
    if (const char* value = std::getenv(variable); value && *value) return value;
  return "";
}

}  // namespace sst::run
