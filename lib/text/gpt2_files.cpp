#include "text/gpt2_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "text/utf8.hpp"
#include "text/vocabulary_file.hpp"

namespace sst::text {
namespace {

constexpr char32_t kFirstStandIn = 0x100;

/// The character that stands for each byte.
std::array<char32_t, 256> byte_characters() {
  std::array<char32_t, 256> characters{};
  char32_t stand_in = kFirstStandIn;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    characters[byte] = printable ? byte : stand_in++;
  }
  return characters;
}

/// The bytes of a token, or the token itself where it is spelt otherwise.
std::string bytes_of(const std::string& token) {
  static const std::unordered_map<char32_t, char> kBytes = [] {
    std::unordered_map<char32_t, char> bytes;
    const auto characters = byte_characters();
    for (size_t byte = 0; byte < characters.size(); ++byte) bytes[characters[byte]] = static_cast<char>(byte);
    return bytes;
  }();
  std::string bytes;
  for (const char* at = token.data(); at != token.data() + token.size();) {
    const auto byte = kBytes.find(next_code_point(at));
    if (byte == kBytes.end()) return token;
    bytes += byte->second;
  }
  return bytes;
}

}  // namespace

Gpt2Vocabulary parse_gpt2_vocabulary(const std::filesystem::path& path, const std::string& text) {
  const nlohmann::json object = parse_json(path, text);
  if (!object.is_object()) fail_in(path, "expected one object of tokens and their ids");
  std::vector<const std::string*> tokens(object.size());  // by id
  for (const auto& [token, id] : object.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= tokens.size())
      fail_in(path, fmt::format("token '{}' has id {}; {} tokens have the whole numbers 0 to {}", token, id.dump(),
                                tokens.size(), tokens.size() - 1));
    const std::string*& place = tokens[id.get<size_t>()];
    if (place) fail_in(path, fmt::format("tokens '{}' and '{}' both have id {}", *place, token, id.dump()));
    place = &object.find(token).key();
  }
  Gpt2Vocabulary vocabulary{.path = path};
  vocabulary.ids.reserve(tokens.size());
  for (const std::string* token : tokens) {
    vocabulary.ids.emplace(*token, static_cast<int32_t>(vocabulary.texts.size()));
    vocabulary.texts.add(bytes_of(*token));
  }
  const auto characters = byte_characters();
  for (size_t byte = 0; byte < characters.size(); ++byte) {
    std::string token;
    append_utf8(characters[byte], token);
    const auto id = vocabulary.ids.find(token);
    if (id == vocabulary.ids.end()) fail_in(path, fmt::format("byte {} has no token; it is spelt '{}'", byte, token));
    vocabulary.byte_ids[byte] = id->second;
  }
  return vocabulary;
}

Merges parse_gpt2_merges(const std::filesystem::path& path, const std::string& text, const Gpt2Vocabulary& vocabulary) {
  Merges merges(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  uint32_t rank = 0;
  each_line(text, [&](int64_t number, std::string_view line) {
    if (number == 1 && starts_with(line, "#version")) return;
    const size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos)
      fail_at(path, number, "expected two tokens with one space between");
    const auto id = [&](const std::string& token) {
      const auto found = vocabulary.ids.find(token);
      if (found == vocabulary.ids.end())
        fail_at(path, number, fmt::format("token '{}' is not in {}", token, vocabulary.path.string()));
      return found->second;
    };
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    const int32_t left_id = id(left), right_id = id(right);
    if (!merges.add(left_id, right_id, {rank++, id(left + right)}))
      fail_at(path, number, fmt::format("the pair '{}' stands on an earlier line too", line));
  });
  return merges;
}

}  // namespace sst::text
