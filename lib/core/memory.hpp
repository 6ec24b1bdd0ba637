#pragma once

#include <cstdint>

namespace sst {

/// Bytes of main memory that programs can still have without swapping; 0 where the system does not tell.
int64_t available_memory_bytes();

}  // namespace sst
