#pragma once

#include <cstdint>

namespace sst {

/// Bytes of main memory that programs can still have without swapping; 0 where the system does not tell.
int64_t available_memory_bytes();

/// From now on memory that is freed stays with the program for its next allocation, in blocks of up to 32 MiB. A training
/// step frees and asks for the same tensors over and over, and each time the system would have to clear every page: a
/// tenth of the time of small models. No effect where the C library is not glibc.
void keep_freed_memory();

}  // namespace sst
