#include "nn/embedding.hpp"

namespace sst::nn {

Embedding::Embedding(const EmbeddingOptions& options, const Build& build, const std::string& name)
    : Embedding(build.normal_matrix({options.rows, options.width}, name + ".weight", options.init_std),
                options.padding_row) {}

Embedding::Embedding(const torch::Tensor& initial, std::optional<int64_t> padding_row)
    : padding_row_(padding_row.value_or(-1)) {
  if (padding_row) initial.select(0, padding_row_).zero_();
  weight_ = register_parameter("weight", initial);
}

torch::Tensor Embedding::forward(const torch::Tensor& ids) const {
  return torch::embedding(weight_, ids, padding_row_);
}

}  // namespace sst::nn
