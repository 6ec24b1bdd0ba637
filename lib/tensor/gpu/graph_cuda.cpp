// CUDA graphs. LibTorch's device-neutral at::accelerator::Graph has no CUDA behind it (2.13, 2.14).

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/cuda.h>

#include "tensor/device_graph.hpp"

namespace sst::tensor {
namespace {

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(torch::Device device) : device_(device) {}

  std::vector<torch::Tensor> record(const Work& work) override {
    std::vector<torch::Tensor> made;
    torch::cuda::synchronize(device_.index());
    {
      const c10::cuda::CUDAStreamGuard elsewhere(
          c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_.index()));
      for (int i = 0; i < 2; ++i) work();  // libraries take their memory and choose their kernels
      torch::cuda::synchronize(device_.index());
      c10::cuda::CUDACachingAllocator::emptyCache();  // what that left on this stream nobody else could use
      // Of this thread only: another one may be pinning the next batches meanwhile.
      graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      try {
        made = work();
      } catch (...) {
        end_quietly();
        throw;
      }
      graph_.capture_end();
    }
    torch::cuda::synchronize(device_.index());
    return made;
  }

  void play() override { graph_.replay(); }

 private:
  /// The first error is the one to tell.
  void end_quietly() {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
      return;
    }
  }

  torch::Device device_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<DeviceGraph> make_device_graph(torch::Device device) {
  return device.is_cuda() ? std::make_unique<CudaGraph>(device) : nullptr;
}

}  // namespace sst::tensor
