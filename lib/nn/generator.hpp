#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>

#include "nn/build.hpp"
#include "nn/embedding.hpp"
#include "nn/token_loss.hpp"

namespace sst::nn {

/// From the last layer's vectors to a score for every word: scores = features(h) · weightᵀ + bias.
class Generator : public torch::nn::Module {
 public:
  /// h [rows, hidden] → [rows, words].
  virtual torch::Tensor forward(const torch::Tensor& h, const Pass& pass) = 0;
  /// Scores and loss in one, a block of rows at a time. h [rows, hidden], targets int64 [rows].
  virtual TokenLoss loss(const torch::Tensor& h, const torch::Tensor& targets, const TokenLossOptions& options,
                         const Pass& pass) = 0;
};

/// A linear map with a bias: child `proj`, no map of the blocks. Where it shares the table of words, only `bias` is its
/// own. A method that replaces the map (by name) makes the scores exist as a whole.
class LinearGenerator final : public Generator {
 public:
  LinearGenerator(int64_t hidden_size, int64_t words, const Build& build, const std::string& name);
  LinearGenerator(std::shared_ptr<Embedding> words, const Build& build);

  torch::Tensor forward(const torch::Tensor& h, const Pass& pass) override;
  TokenLoss loss(const torch::Tensor& h, const torch::Tensor& targets, const TokenLossOptions& options,
                 const Pass& pass) override;

 private:
  std::shared_ptr<LinearMap> map_;
  std::shared_ptr<Embedding> words_;  ///< in place of the map
  torch::Tensor bias_;
};

/// 2 + 2 <h, c_k> + β_k: children's tensors are those of LorentzClassifier, `cls` (points) and `bias`. The points start
/// as a copy of the table of words, or are that table.
class LorentzGenerator final : public Generator {
 public:
  LorentzGenerator(const std::shared_ptr<Embedding>& words, bool shares_words);

  torch::Tensor forward(const torch::Tensor& h, const Pass& pass) override;
  TokenLoss loss(const torch::Tensor& h, const torch::Tensor& targets, const TokenLossOptions& options,
                 const Pass& pass) override;

 private:
  std::shared_ptr<Embedding> words_;  ///< where it shares them
  torch::Tensor cls_, bias_;
  torch::Tensor metric_;  ///< twice the signature, (−2, 2, …, 2) [hidden]
};

}  // namespace sst::nn
