#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/token_texts.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// Text that is cut already: tokens stand between white space. The vocabulary file has one token a line, in the order
/// of their ids. A token that is not there becomes `<unk>`; the separator is `</s>`, the beginning `<s>`, the padding
/// `<blank>`; each only where the file has it.
class Whitespace final : public SentenceTokenizer {
 public:
  /// Throws DataError with file and line: an empty line, white space in a token, a token twice.
  explicit Whitespace(const std::filesystem::path& path);

  /// Throws DataError at an unknown token when the vocabulary has no `<unk>`.
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  /// Tokens with one space between, then every "@@ " and a last "@@" taken out (subword-nmt's joiner).
  std::string decode(std::span<const int32_t> ids) const override;
  std::string join(std::span<const std::string> pieces) const override;
  std::string piece(int32_t id) const override { return std::string(texts_.at(id)); }

  int64_t size() const override { return texts_.size(); }
  std::optional<int32_t> separator() const override { return id_of("</s>"); }
  std::optional<int32_t> begin() const override { return id_of("<s>"); }
  std::optional<int32_t> padding() const override { return id_of("<blank>"); }
  std::optional<int32_t> unknown() const override { return unknown_; }
  std::string sha256() const override { return sha256_; }
  std::optional<int32_t> id_of(std::string_view token) const;

 private:
  TokenTexts texts_;
  std::unordered_map<std::string, int32_t> ids_;
  std::optional<int32_t> unknown_;
  std::string sha256_;
};

}  // namespace sst::text
