#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/merges.hpp"
#include "text/piece_cache.hpp"
#include "text/token_texts.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// Byte-level BPE of GPT-2 and OPT (Radford et al. 2019): text is cut into pieces, the bytes of each piece are merged.
/// The separator is `</s>` where the vocabulary has one (OPT), `<|endoftext|>` otherwise (GPT-2).
class Gpt2Bpe final : public Tokenizer {
 public:
  /// A folder with vocab.json and merges.txt.
  ///   throws    DataError with file and place, unless the ids are 0 … n − 1, each once, and all 256 bytes and both
  ///             sides and the result of each merge have one
  explicit Gpt2Bpe(const std::filesystem::path& folder);

  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  /// As encode(), but where the separator's name stands in the text its id is appended.
  void encode_with_separators(std::string_view text, std::vector<int32_t>& ids) const;
  std::string decode(std::span<const int32_t> ids) const override;

  int64_t size() const override { return texts_.size(); }
  std::optional<int32_t> separator() const override { return separator_; }
  std::string sha256() const override { return sha256_; }

 private:
  /// What one call of encode() works with.
  struct Workspace {
    PieceCache cache;
    std::vector<int32_t> merged;
  };

  std::span<const int32_t> merge(std::string_view piece, Workspace& workspace) const;

  Merges merges_;
  std::array<int32_t, 256> byte_ids_;
  TokenTexts texts_;
  std::optional<int32_t> separator_;
  std::string sha256_;
  mutable Pool<Workspace> workspaces_;
};

}  // namespace sst::text
