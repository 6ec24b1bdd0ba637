#pragma once

#include <cstdint>

/// Our own CUDA kernels: raw pointers to the memory of the device in use, and its stream. A build against a CPU LibTorch
/// has none of them (kernels_absent.cpp), and no tensor to call them with.
namespace sst::tensor::gpu {

/// Row r of the decisions comes from stream indices[r] of the generator with this key.
struct DropoutDraw {
  const uint64_t* indices;  ///< [rows], on the device
  int64_t rows, count;
  uint32_t key[2];
  uint32_t threshold;  ///< words below it drop
};

/// keeps [rows, count], on the device.
void dropout_keeps(const DropoutDraw& draw, bool* keeps, void* stream);

}  // namespace sst::tensor::gpu
