#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/merges.hpp"
#include "text/token_texts.hpp"

namespace sst::text {

/// vocab.json: token to id. Tokens are spelt with one character for each byte: 33 to 126, 161 to 172 and 174 to 255
/// stand for themselves, the 68 others in rising order for U+0100 to U+0143.
struct Gpt2Vocabulary {
  std::filesystem::path path;
  std::unordered_map<std::string, int32_t> ids = {};  ///< by the token as it is spelt
  std::array<int32_t, 256> byte_ids = {};             ///< of the tokens of one byte
  TokenTexts texts = {};                              ///< the bytes; a token that is not spelt so stands for itself
};

/// Both throw DataError with file and place.
Gpt2Vocabulary parse_gpt2_vocabulary(const std::filesystem::path& path, const std::string& text);
/// merges.txt: `LEFT RIGHT` a line, the first to be merged first; an optional first line `#version: …`.
Merges parse_gpt2_merges(const std::filesystem::path& path, const std::string& text, const Gpt2Vocabulary& vocabulary);

}  // namespace sst::text
