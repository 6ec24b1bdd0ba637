#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "nn/pass.hpp"
#include "tensor/rows.hpp"

namespace sst::models {

/// Turns node features and a normalised adjacency into one embedding per node.
class GraphEncoder : public torch::nn::Module {
 public:
  /// features [nodes, F + 1], adjacency [nodes, nodes] → [nodes, dim].
  virtual torch::Tensor embed(const tensor::Rows& features, const std::shared_ptr<const tensor::CsrMatrix>& adjacency,
                              const nn::Pass& pass) = 0;
  virtual int64_t embedding_size() const = 0;
};

}  // namespace sst::models
