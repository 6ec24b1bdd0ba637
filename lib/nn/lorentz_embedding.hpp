#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "nn/lorentz_linear.hpp"
#include "nn/sequence_embedding.hpp"

namespace sst::nn {

/// Points in random directions, [rows, dim]: the exponential map at the origin of Gaussian vectors of Euclidean length
/// one, time entry included. A pure function of the seed and the name.
///   source  the published code of HyboNet
torch::Tensor random_points(int64_t rows, int64_t dim, const Build& build, const std::string& tensor_name);

/// A Lorentz linear layer (child `linear`) of each word's point (`words.weight`, points of the hyperboloid), with the
/// learned vector of its position (`positions.weight`, Euclidean) as residual.
///   source  Chen et al. 2022, published translation code; dropout of the layer's input is 0.1 whatever the options say
class LorentzEmbedding final : public SequenceEmbedding {
 public:
  struct Options {
    int64_t rows = 0, width = 0, positions = 0;
  };
  LorentzEmbedding(const Options& options, const Build& build, const std::string& name,
                   std::shared_ptr<Embedding> shared_words = nullptr);

  torch::Tensor forward(const torch::Tensor& ids, int64_t first, const Pass& pass) override;
  const std::shared_ptr<Embedding>& words() const override { return words_; }

 private:
  std::shared_ptr<Embedding> words_, positions_;
  std::shared_ptr<LorentzLinear> linear_;
};

}  // namespace sst::nn
