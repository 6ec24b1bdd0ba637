#include "nn/embedding.hpp"

namespace sst::nn {

Embedding::Embedding(const EmbeddingOptions& options, const Build& build, const std::string& name)
    : padding_row_(options.padding_row.value_or(-1)) {
  torch::Tensor initial = build.normal_matrix({options.rows, options.width}, name + ".weight", options.init_std);
  if (options.padding_row) initial.select(0, padding_row_).zero_();
  weight_ = register_parameter("weight", initial);
}

torch::Tensor Embedding::forward(const torch::Tensor& ids) const {
  return torch::embedding(weight_, ids, padding_row_);
}

}  // namespace sst::nn
