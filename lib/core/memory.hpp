#pragma once

#include <cstdint>

namespace sst {

/// Bytes of main memory that programs can still have without swapping; 0 where the system does not tell.
int64_t available_memory_bytes();

/// From now on blocks of a mebibyte and more go back to the system when they are freed. Building a model leaves them
/// between tensors that stay, where little else fits: OPT-125M under SST would keep a gigabyte of holes. No effect, as of
/// the next one, where the C library is not glibc.
void return_freed_memory();

/// Once a model is there: from now on memory that is freed stays with the program for its next allocation, in blocks of up
/// to 32 MiB. A training step frees and asks for the same tensors over and over, and each time the system would have to
/// clear every page: a tenth of the time of small models. What lies free now goes back.
void keep_freed_memory();

}  // namespace sst
