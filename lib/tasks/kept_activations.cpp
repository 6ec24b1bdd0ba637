#include "tasks/kept_activations.hpp"

#include <torch/csrc/autograd/autograd.h>

#include <optional>
#include <vector>

#include "nn/linear.hpp"
#include "tensor/memory_meter.hpp"

namespace sst::tasks {
namespace {

using tensor::TensorMemoryMeter;
using Outer = TensorMemoryMeter::Outer;
using torch::Tensor;

/// Backward that leaves no gradient in the model and none in what a method derives from it. None where the model is only used.
std::vector<Tensor> gradients_of(const Tensor& loss, const std::vector<Tensor>& inputs) {
  if (!loss.requires_grad()) return {};
  return torch::autograd::grad({loss}, inputs, /*grad_outputs=*/{}, /*retain_graph=*/std::nullopt,
                               /*create_graph=*/false, /*allow_unused=*/true);
}

std::vector<Tensor> trained(const torch::nn::Module& model) {
  std::vector<Tensor> tensors;
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) tensors.push_back(tensor);
  return tensors;
}

/// Vectors alone lead backward through the whole model; gradients of matrices do not depend on the number of samples.
std::vector<Tensor> trained_vectors(const torch::nn::Module& model) {
  std::vector<Tensor> vectors;
  for (const Tensor& tensor : trained(model))
    if (tensor.dim() < 2) vectors.push_back(tensor);
  return vectors.empty() ? trained(model) : vectors;
}

/// By how much backward rises above what forward left.
double rise_in_backward(const std::function<Tensor()>& loss_of, const torch::nn::Module& model,
                        c10::DeviceType device) {
  const TensorMemoryMeter around(device);  // it learns the sizes of what backward frees
  const Tensor loss = loss_of();
  const TensorMemoryMeter meter(device, Outer::kCountsToo);
  gradients_of(loss, trained_vectors(model));
  return static_cast<double>(meter.peak_bytes());
}

/// While it lives, the gradient of each tensor gives way to a number as soon as it is made.
class GradientsVanish {
 public:
  explicit GradientsVanish(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const Tensor& tensor : tensors_)
      hooks_.push_back(tensor.register_hook([](const Tensor& gradient) -> Tensor {
        return torch::zeros({}, gradient.options()).expand(gradient.sizes());
      }));
  }
  GradientsVanish(const GradientsVanish&) = delete;
  GradientsVanish& operator=(const GradientsVanish&) = delete;
  ~GradientsVanish() {
    for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].remove_hook(hooks_[i]);
  }

 private:
  std::vector<Tensor> tensors_;
  std::vector<unsigned> hooks_;
};

}  // namespace

KeptActivations measure_activations(const std::function<Tensor(int64_t, bool)>& loss_of, int64_t few, int64_t more,
                                    const torch::nn::Module& model, c10::DeviceType device, bool recomputes,
                                    int64_t blocks) {
  const auto alive_after = [&](int64_t samples, bool recompute, Outer outer = Outer::kSeesNothing) {
    const TensorMemoryMeter meter(device, outer);
    const Tensor loss = loss_of(samples, recompute);
    return static_cast<double>(meter.live_bytes());
  };
  const auto per_sample = [&](double of_more, double of_few) {
    return (of_more - of_few) / static_cast<double>(more - few);
  };
  const auto measure = [&](bool recompute) -> KeptActivations {
    // Copies in the compute type and the like are made the first time, and stay: others have to see them come.
    const double first = alive_after(few, recompute, Outer::kCountsToo), less = alive_after(few, recompute);
    const double each = per_sample(alive_after(more, recompute), less);
    return {.per_sample = each, .fixed = first - each * static_cast<double>(few)};
  };
  KeptActivations kept = measure(recomputes);
  if (recomputes) kept.inside_block = measure(false).per_sample / static_cast<double>(blocks);
  // Not recomputed, since that would leave gradients in the model; what backward holds of a block is the same.
  const auto rise = [&](int64_t samples) {
    return rise_in_backward([&] { return loss_of(samples, /*recompute=*/false); }, model, device);
  };
  kept.in_backward = std::max(0.0, per_sample(rise(more), rise(few)));
  return kept;
}

PassBytes measure_pass(const std::function<Tensor()>& loss, const torch::nn::Module& model, c10::DeviceType device) {
  const auto tensors = trained(model);
  const auto lasting = [&] {  // made the first time, as above
    const TensorMemoryMeter meter(device, Outer::kCountsToo);
    loss();
    return static_cast<double>(meter.live_bytes());
  }();
  const auto peak = [&] {
    const TensorMemoryMeter meter(device);
    gradients_of(loss(), tensors);
    return lasting + static_cast<double>(meter.peak_bytes());
  };
  PassBytes bytes{.with_gradients = peak()};
  const GradientsVanish vanish(tensors);
  bytes.without = peak();
  for (const Tensor& tensor : tensors) bytes.gradients += static_cast<double>(tensor.nbytes());
  return bytes;
}

PassBytes measure_copy(Task& copy, const torch::TensorOptions& tensors) {
  copy.build({.tensors = tensors.device(torch::kCPU), .init = {.kind = nn::InitScheme::Kind::kZero}});
  return {.without = copy.step_bytes(0), .is_of_another = true};
}

}  // namespace sst::tasks
