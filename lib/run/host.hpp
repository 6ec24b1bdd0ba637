#pragma once

#include <string>

namespace sst::run {

/// The name of this machine.
std::string host_name();

/// The batch system's number for this job (Slurm, PBS, LSF, Grid Engine), or "".
std::string job_id();

}  // namespace sst::run
