#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace sst::run {

/// What `runtime.device` names on a machine with `gpus` of them. Where it gives no number, each process of a machine has the
/// GPU of its own number, as torchrun's scripts do; a launcher that shows each process one GPU alone has that number 0.
///   local_rank    of this process among those of its machine
/// Throws UserError when there is no such device.
torch::Device device_among(const std::string& name, int64_t gpus, int64_t local_rank);

/// device_among() for this process and machine; a GPU is this thread's current one from then on, which kernels of our own and
/// NCCL take for granted.
torch::Device resolve_device(const std::string& name);

}  // namespace sst::run
