#include "tensor/gpu/kernels.hpp"

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "core/philox.hpp"

namespace sst::tensor::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostRows = 65535;  // of a grid

/// A thread makes the four decisions of one block of words.
__global__ void dropout_kernel(DropoutDraw draw, bool* keeps) {
  const int64_t block = int64_t{blockIdx.x} * kThreads + threadIdx.x, first = 4 * block;
  if (first >= draw.count) return;
  for (int64_t row = blockIdx.y; row < draw.rows; row += gridDim.y) {
    uint32_t words[4];
    philox::block(static_cast<uint64_t>(block), draw.indices[row], draw.key[0], draw.key[1], words);
    bool* const out = keeps + row * draw.count + first;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (first + i < draw.count) out[i] = words[i] >= draw.threshold;
  }
}

void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw std::runtime_error(std::string(kernel) + ": " + cudaGetErrorString(status));
}

}  // namespace

void dropout_keeps(const DropoutDraw& draw, bool* keeps, void* stream) {
  const int64_t blocks = (draw.count + 4 * kThreads - 1) / (4 * kThreads);
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(draw.rows < kMostRows ? draw.rows : kMostRows));
  dropout_kernel<<<grid, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(draw, keeps);
  check_launch("dropout_keeps");
}

}  // namespace sst::tensor::gpu
