#pragma once

#include <torch/types.h>

namespace sst::nn {

/// The likeliest words of each row, on the CPU, likeliest first.
struct TopWords {
  torch::Tensor log_p;  ///< float64 [rows, count], log softmax of the scores
  torch::Tensor words;  ///< int64 [rows, count]
};

/// scores [rows, words], count ≤ words. Without a graph.
TopWords top_words(const torch::Tensor& scores, int64_t count);

}  // namespace sst::nn
