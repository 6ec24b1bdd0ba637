#include "text/characters.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "text/token_texts.hpp"
#include "text/utf8.hpp"
#include "text/vocabulary_file.hpp"

namespace sst::text {
namespace {

constexpr const char* kKey = "characters";

}  // namespace

Characters::Characters(const std::set<char32_t>& characters) {
  for (const char32_t character : characters) number(character);
}

Characters::Characters(const std::filesystem::path& path) {
  const nlohmann::json json = parse_json(path, read_file(path));
  if (!json.is_object() || json.size() != 1 || !json.contains(kKey) || !json[kKey].is_string())
    fail_in(path, R"(expected {"characters": "…"})");
  const std::string& text = json[kKey].get_ref<const std::string&>();
  if (text.empty()) fail_in(path, "there are no characters");
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const char32_t character = next_code_point(at);
    if (character < ids_.size() && ids_[character] >= 0)
      fail_in(path, fmt::format("the character {} stands there twice", describe(character)));
    number(character);
  }
}

void Characters::number(char32_t character) {
  if (character >= ids_.size()) ids_.resize(character + 1, -1);
  ids_[character] = static_cast<int32_t>(characters_.size());
  characters_ += character;
}

std::string Characters::joined() const {
  std::string text;
  for (const char32_t character : characters_) append_utf8(character, text);
  return text;
}

void Characters::save(const std::filesystem::path& path) const {
  write_file_atomically(path, nlohmann::json{{kKey, joined()}}.dump() + "\n");
}

void Characters::encode(std::string_view text, std::vector<int32_t>& ids) const {
  require_utf8(text);
  for (const char *at = text.data(), *start = at; at != text.data() + text.size(); start = at) {
    const char32_t character = next_code_point(at);
    const int32_t id = character < ids_.size() ? ids_[character] : -1;
    if (id < 0)
      throw DataError(fmt::format("the character {} at byte {} is none of the tokenizer's {}", describe(character),
                                  start - text.data(), size()),
                      "the vocabulary comes from the training text; drop the character, or use tokenizer.type: bytes");
    ids.push_back(id);
  }
}

std::string Characters::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    require_id(id, size());
    append_utf8(characters_[static_cast<size_t>(id)], text);
  }
  return text;
}

std::string Characters::sha256() const { return sha256_hex("characters " + joined()); }

void collect_characters(std::string_view text, std::set<char32_t>& characters) {
  require_utf8(text);
  std::vector<bool> seen(0x110000);
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const char32_t character = next_code_point(at);
    if (seen[character]) continue;
    seen[character] = true;
    characters.insert(character);
  }
}

}  // namespace sst::text
