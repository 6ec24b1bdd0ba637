#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <optional>
#include <string>

#include "nn/build.hpp"

namespace sst::nn {

struct EmbeddingOptions {
  int64_t rows = 0;
  int64_t width = 0;
  double init_std = 0.02;
  /// A row that starts at zero and gets no gradient from being looked up (OPT's padding).
  std::optional<int64_t> padding_row = std::nullopt;
};

/// A table of vectors, `weight` [rows, width], initial values normal(0, init_std). `name` is the module's full path.
class Embedding final : public torch::nn::Module {
 public:
  Embedding(const EmbeddingOptions& options, const Build& build, const std::string& name);
  /// With initial values [rows, width] of the caller's own.
  explicit Embedding(const torch::Tensor& initial, std::optional<int64_t> padding_row = std::nullopt);

  /// ids int64 [...] → [..., width].
  torch::Tensor forward(const torch::Tensor& ids) const;
  const torch::Tensor& weight() const { return weight_; }

 private:
  int64_t padding_row_;
  torch::Tensor weight_;
};

}  // namespace sst::nn
