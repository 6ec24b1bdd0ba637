#pragma once

#include <string>
#include <vector>

#include "optim/optimizer.hpp"
#include "run/journal.hpp"

/// What `logging.weights` writes: how large the weights are, and how far a step moves them.
namespace sst::run {

/// ‖w‖₂ of those trained tensors that take part in weight decay, in their order; in double.
std::vector<double> decayed_norms(const std::vector<optim::Parameter>& parameters);

/// √Σ nᵢ²: the norm of all of them together.
double joint_norm(const std::vector<double>& norms);

/// Tells whether two lists of such norms belong to the same tensors: 16 digits of a hash of their names.
std::string decayed_names_hash(const std::vector<optim::Parameter>& parameters);

/// One optimizer step, from the weights before it to those after it.
class WeightMeter {
 public:
  /// Takes norms and a copy of the decayed tensors.
  explicit WeightMeter(const std::vector<optim::Parameter>& parameters);

  /// With w the decayed tensors before the step, all together, and Δw its change by the step:
  ///     weights/lr, weights/lr_low_rank  the rates of the step
  ///     weights/norm                     ‖w‖₂
  ///     weights/effective_lr             rate / ‖w‖₂
  ///     weights/relative_update          ‖Δw‖₂ / ‖w‖₂
  ///     weights/max                      largest |w| of all trained tensors, after the step
  ///     weights/norm/GROUP               ‖·‖₂ of embeddings, attention, feed_forward, norms, biases and other trained
  ///                                      tensors, after the step
  ///     weights/norms, weights/updates   lists of ‖w‖₂ and ‖Δw‖₂, a number for each decayed tensor
  ///     weights/names                    decayed_names_hash()
  ///   source    D'Angelo et al. 2024, "Why Do We Need Weight Decay in Modern Deep Learning?"
  MetricFields fields(const std::vector<optim::Parameter>& parameters, const optim::LearningRates& rates) const;

 private:
  std::vector<double> norms_;
  std::vector<torch::Tensor> before_;
};

}  // namespace sst::run
