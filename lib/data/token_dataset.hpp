#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/targets.hpp"
#include "text/token_stream.hpp"

namespace sst::data {

/// How a stream of tokens becomes sequences.
enum class Packing {
  kContiguous,  ///< windows one after the other that cross documents and overlap by the one target token (llm.c)
  kDocument,    ///< each sequence lies in one document; what is left of its length has no target
};

struct TokenBatch {
  torch::Tensor inputs;   ///< int64 [B, T]
  torch::Tensor targets;  ///< int64 [B, T], the token after each input; tensor::kNoTarget beyond the end of a document
};

struct TokenDatasetOptions {
  std::string name = "train";  ///< of the split, for messages
  int64_t seq_len = 0;         ///< T
  Packing packing = Packing::kContiguous;
  bool shuffle = true;
  bool keep_rest = false;            ///< kContiguous: one last, shorter sequence for the tokens that are left
  int64_t vocabulary = 0;            ///< ids must be below it
  std::optional<int32_t> separator;  ///< between documents; kDocument needs it
};

/// Sequences for a language model from mapped token files. Which sequences a step sees follows from the seed and the
/// number of the sample alone, so neither batch size nor the number of processes can change it.
class TokenDataset {
 public:
  /// With kDocument the stream is searched for separators once, and 8 bytes are kept for each sequence.
  ///   throws    DataError when the files hold too few tokens for one sequence; UserError when kDocument has no separator
  TokenDataset(text::TokenStream stream, const TokenDatasetOptions& options);

  /// Sequences in an epoch; contiguous: ⌊(tokens − 1) / T⌋, the rest is left out unless the options keep it.
  int64_t size() const { return size_; }
  int64_t tokens() const { return stream_.size(); }
  const TokenDatasetOptions& options() const { return options_; }
  const text::TokenStream& stream() const { return stream_; }

  /// The sequence at place `index` of an epoch, in constant time and memory: a permutation of 0 … size − 1, or the index
  /// itself without shuffling.
  int64_t order(uint64_t seed, int64_t epoch, int64_t index) const;
  /// The sequences of samples first … first + count − 1, counted from the start of training through all epochs.
  std::vector<int64_t> samples(uint64_t seed, int64_t first, int64_t count) const;

  /// Inputs and targets of these sequences, B = their number.
  ///   throws    DataError that names file and place of an id outside the vocabulary
  TokenBatch batch(std::span<const int64_t> sequences) const;

 private:
  void find_documents();
  int64_t fill_window(int64_t first, std::span<int64_t> window) const;
  void check_ids(int64_t first, std::span<const int64_t> ids) const;

  text::TokenStream stream_;
  TokenDatasetOptions options_;
  int64_t size_ = 0;
  std::vector<int64_t> starts_;  ///< kDocument: place of the first input of each sequence; −1 before the first token
};

}  // namespace sst::data
