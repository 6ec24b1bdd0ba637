#pragma once

#include <string_view>

/// Places at which a test can make the process fail, to prove that a run survives it. They cost one
/// comparison unless the variable SST_FAULT is set to `point:count[:mode]`: the count-th pass of `point` (a
/// glob pattern, so `*:7` is the seventh point of any name) triggers the mode, once.
///   kill         SIGKILL to itself, as by `kill -9` or a power cut; what is meant where no mode is given
///   stop         SIGTERM to itself, as from a batch system
///   slow         half a minute during which nothing happens, as on a node that swaps
///   no_memory    std::bad_alloc
///   nan          what fault_point returns is true, and the caller puts a NaN into a gradient
///   drift        the same, and the caller moves a weight, as a processor that miscalculates
///   short_write  the next write to a file keeps half of its bytes and reports success, as a disk that lies
///   no_space     the next write to a file fails with "no space left on device"
///   read_only    the next write to a file fails with "read-only file system"
namespace sst {

/// Passes the named place. Throws UserError when SST_FAULT is malformed.
///   returns  whether the caller must now do wrong
bool fault_point(std::string_view name);

enum class WriteFault { kNone, kShort, kNoSpace, kReadOnly };

/// What a writer of files must now pretend; asking clears it.
WriteFault take_write_fault();

/// Replaces what SST_FAULT says, for tests in this process; "" disarms. Throws UserError when `spec` is
/// malformed.
void arm_fault(std::string_view spec);

}  // namespace sst
