#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sst {

/// The candidate a mistyped word most likely means: edit distance at most 2 (and less than the word's length), or a
/// shared prefix of at least 4 characters. Nothing when no candidate is near.
std::optional<std::string> did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// True when `text` matches the pattern, in which `*` stands for any run of characters and `?` for one.
bool glob_match(std::string_view pattern, std::string_view text);

std::string join(const std::vector<std::string>& words, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
bool starts_with(std::string_view text, std::string_view prefix);
bool ends_with(std::string_view text, std::string_view suffix);
std::string trim(std::string_view text);

/// 1234567 → "1,234,567".
std::string with_thousands(int64_t value);

/// 5.6 GiB, 12.0 MiB, 17 B.
std::string human_bytes(double bytes);

}  // namespace sst
