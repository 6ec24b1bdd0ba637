#pragma once

#include <torch/nn/module.h>

#include <map>
#include <string>
#include <vector>

#include "optim/optimizer.hpp"
#include "run/journal.hpp"

/// What `logging.per_layer` writes: how large each layer is, how it is pulled, and what its matrix looks like.
namespace sst::run {

/// ‖gradient‖₂ of each trained tensor, by its name; a tensor without a gradient is left out.
std::map<std::string, double> gradient_norms(const optim::Optimizer& optimizer);

/// The matrices W that the linear maps apply, by the map's name, as copies.
std::map<std::string, torch::Tensor> map_weights(const torch::nn::Module& model);

/// Per linear map "layer/NAME/…", of the matrix W that it applies, whatever method holds it:
///     weight_norm                          ‖W‖_F
///     grad_norm                            ‖·‖₂ over the gradients of all that trains in the map
///     update_norm                          ‖W − `before`‖_F, what the step did to it, where map_weights() was asked before
///     sigma_max, sigma_min, sigma_mean     singular values of W
///     spectrum                             at most 128 of them, descending, evenly spaced from the first to the last
///     effective_rank                       exp of the entropy of σ / Σσ (Roy & Vetterli 2007)
///     sigma                                [k] the singular values that the method itself holds, in their order (sst)
/// Of every other trained tensor weight_norm and grad_norm. Costs one decomposition for each linear map.
MetricFields layer_fields(torch::nn::Module& model, const std::map<std::string, double>& gradients,
                          const std::map<std::string, torch::Tensor>& before = {});

/// At most `most` values of `all`, evenly spaced, with the first and the last.
std::vector<double> spaced(const std::vector<double>& all, size_t most);

}  // namespace sst::run
