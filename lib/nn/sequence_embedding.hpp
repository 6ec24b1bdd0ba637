#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "nn/build.hpp"
#include "nn/embedding.hpp"

namespace sst::nn {

/// Words and their positions as vectors: what a Transformer's first layer sees.
class SequenceEmbedding : public torch::nn::Module {
 public:
  /// ids int64 [batch, time] at the positions first, first + 1, … → [batch, time, width].
  virtual torch::Tensor forward(const torch::Tensor& ids, int64_t first, const Pass& pass) = 0;
  /// The table of words, [rows, width], for those who share it.
  virtual const std::shared_ptr<Embedding>& words() const = 0;
};

/// PE[p, 2i] = sin(p · 10000^(−2i/width)), PE[p, 2i + 1] = cos of the same; computed in float32 and then cast.
///   source    Vaswani et al. 2017, section 3.5
torch::Tensor sinusoids(int64_t positions, int64_t width, const torch::TensorOptions& tensors);

/// dropout(√width · E[id] + PE[position]); words start Xavier-uniform, the padding row at zero and without gradient.
/// Child `words`, unless it is given from elsewhere.
class SinusoidalEmbedding final : public SequenceEmbedding {
 public:
  struct Options {
    int64_t rows = 0, width = 0, positions = 0;
    int64_t padding_row = 0;
    double dropout = 0;
  };
  SinusoidalEmbedding(const Options& options, const Build& build, const std::string& name,
                      std::shared_ptr<Embedding> shared_words = nullptr);

  torch::Tensor forward(const torch::Tensor& ids, int64_t first, const Pass& pass) override;
  const std::shared_ptr<Embedding>& words() const override { return words_; }

 private:
  double dropout_;
  std::string name_;
  std::shared_ptr<Embedding> words_;
  torch::Tensor positions_;  ///< [positions, width]; a constant, so it is in no checkpoint
};

}  // namespace sst::nn
