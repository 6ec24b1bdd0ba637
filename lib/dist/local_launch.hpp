#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace sst::dist {

/// `--nproc`: starts this program `count` times on this machine, as torchrun would, and serves the store in which the
/// processes meet. Signals that ask to stop go to all of them, once; when this process dies, they end. When one fails the
/// others end too, by themselves or after half a minute by force.
///   arguments  of each process, without the program and without --nproc
///   returns    what all of them returned; where they differ, the code of the one that went wrong first of all
ExitCode run_locally(int64_t count, const std::vector<std::string>& arguments);

/// Whether this process is one of those.
bool was_launched_locally();

}  // namespace sst::dist
