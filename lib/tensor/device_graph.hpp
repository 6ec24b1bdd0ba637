#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <vector>

namespace sst::tensor {

/// Work of a device that is recorded once and then played: one command in the place of the thousands whose launching takes
/// longer than small kernels do.
class DeviceGraph {
 public:
  /// The tensors that the work makes. Called several times; it must not wait for the device, must not draw random numbers,
  /// and must read what changes between plays from memory that stays where it is.
  using Work = std::function<std::vector<torch::Tensor>()>;

  virtual ~DeviceGraph() = default;
  /// Records `work` and returns the tensors that play() writes anew.
  ///   throws  what the work throws, and what the device cannot record
  virtual std::vector<torch::Tensor> record(const Work& work) = 0;
  virtual void play() = 0;
};

/// For a GPU that this build has kernels for; null for every other device.
std::unique_ptr<DeviceGraph> make_device_graph(torch::Device device);

}  // namespace sst::tensor
