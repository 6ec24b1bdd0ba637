#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.hpp"

namespace sst::text {

/// The code points of some text as the vocabulary, their ids in code-point order (nanoGPT's character sets). There is
/// no separator: documents follow each other directly.
class Characters final : public Tokenizer {
 public:
  explicit Characters(const std::set<char32_t>& characters);
  /// A file that save() wrote: {"characters": "abc…"}, each once, in the order of their ids.
  ///   throws    DataError with path and reason
  explicit Characters(const std::filesystem::path& path);
  void save(const std::filesystem::path& path) const;

  /// Throws DataError at the first character that is not in the vocabulary.
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  std::string decode(std::span<const int32_t> ids) const override;

  int64_t size() const override { return static_cast<int64_t>(characters_.size()); }
  std::optional<int32_t> separator() const override { return std::nullopt; }
  std::string sha256() const override;

 private:
  void number(char32_t character);  ///< gives it the next id
  std::string joined() const;

  std::u32string characters_;  ///< by id
  std::vector<int32_t> ids_;   ///< by code point; −1: not in the vocabulary
};

/// Adds the code points of a text to `characters`. Throws DataError when it is not UTF-8.
void collect_characters(std::string_view text, std::set<char32_t>& characters);

}  // namespace sst::text
