#pragma once

#include <torch/types.h>

#include <cstdint>

namespace sst::tensor {

/// What programs can still have of the device's memory, bytes. On a GPU that counts what LibTorch's allocator keeps for
/// reuse but does not use.
int64_t free_memory_bytes(torch::Device device);

/// The most that LibTorch's allocator held of a GPU's memory at one time, bytes.
int64_t peak_reserved_bytes(torch::Device gpu);

/// A copy in memory that a GPU reads by itself, for send_to(); on the CPU the tensor as it is.
torch::Tensor ready_to_send(torch::Tensor tensor, torch::Device device);
/// The tensor on `device`. From memory that was made ready the copy goes on beside what this process does next.
torch::Tensor send_to(const torch::Tensor& tensor, torch::Device device);

}  // namespace sst::tensor
