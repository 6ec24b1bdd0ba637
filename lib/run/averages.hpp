#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tensor/safetensors.hpp"

namespace sst::run {

/// Exponential averages of the weights over the steps, one for each decay of `train.ema`:
///
///     average ← d · average + (1 − d) · weights      d = min(decay, (1 + t) / (10 + t)), t the 0-based step
///
/// They average what the layers compute with, nn::dense_tensors(): the matrix of each linear map, not the factors it may
/// be held in, whose rows change places. float32 at least. An average of points of the hyperboloid lies inside it and is
/// brought back when it is used, which makes it their weighted Lorentz centroid.
///   source    Marian's exponential smoothing, with its correction of the first steps
class Averages {
 public:
  Averages() = default;
  explicit Averages(std::vector<double> decays) : decays_(std::move(decays)) {}

  /// A fresh run: every average is the weights.
  void start(const torch::nn::Module& model);
  /// Step `step` is done.
  void update_(const torch::nn::Module& model, int64_t step);

  /// "ema_0.999", ….
  std::vector<std::string> names() const;
  /// "ema_0.999/decoder.cls", …; the live ones.
  const tensor::NamedTensors& state_dict() const { return tensors_; }
  /// Throws CheckpointError when a tensor is missing, unknown or of another shape.
  void load_state_dict(const tensor::NamedTensors& tensors, const torch::nn::Module& model);

 private:
  std::vector<double> decays_;
  tensor::NamedTensors tensors_;
};

/// "ema_0.999".
std::string average_name(double decay);

/// One average of state_dict() as dense tensors, with `points` brought back to the hyperboloid. `name` is "ema_0.999", or
/// "ema" where there is only one.
///   throws    UserError naming those that are there
tensor::NamedTensors averaged_tensors(const tensor::NamedTensors& averages, const std::string& name,
                                      const std::vector<std::string>& points);

}  // namespace sst::run
