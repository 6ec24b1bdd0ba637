#include "text/whitespace.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "text/utf8.hpp"
#include "text/vocabulary_file.hpp"
#include "text/words.hpp"

namespace sst::text {
namespace {

constexpr std::string_view kJoiner = "@@";

}  // namespace

Whitespace::Whitespace(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  each_line(text, [&](int64_t number, std::string_view line) {
    if (const auto bad = first_malformed(line)) fail_at(path, number, fmt::format("byte {} is not UTF-8", *bad));
    std::string_view token;
    each_word(line, [&](std::string_view found) { token = found; });
    if (line.empty() || token != line) fail_at(path, number, "expected one token without white space");
    if (!ids_.emplace(token, static_cast<int32_t>(texts_.size())).second)
      fail_at(path, number, fmt::format("the token '{}' stands on an earlier line too", token));
    texts_.add(token);
  });
  if (ids_.empty()) fail_in(path, "there are no tokens");
  unknown_ = id_of("<unk>");
  sha256_ = sha256_hex("whitespace " + sha256_hex(text));
}

std::optional<int32_t> Whitespace::id_of(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void Whitespace::encode(std::string_view text, std::vector<int32_t>& ids) const {
  require_utf8(text);
  each_word(text, [&](std::string_view token) {
    const auto known = id_of(token);
    if (!known && !unknown_)
      throw DataError(fmt::format("the token '{}' is not in the vocabulary, and neither is <unk>", token));
    ids.push_back(known ? *known : *unknown_);
  });
}

std::string Whitespace::decode(std::span<const int32_t> ids) const {
  std::string text;
  bool joins = true;  // nothing stands between the last token and the next one
  for (const int32_t id : ids) {
    std::string_view token = texts_.at(id);
    if (!joins) text += ' ';
    joins = ends_with(token, kJoiner);
    text += token.substr(0, token.size() - (joins ? kJoiner.size() : 0));
  }
  return text;
}

}  // namespace sst::text
