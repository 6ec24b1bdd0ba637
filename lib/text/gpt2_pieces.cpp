#include "text/gpt2_pieces.hpp"

#include <cstddef>
#include <string_view>

#include "text/unicode_classes.hpp"
#include "text/utf8.hpp"

namespace sst::text {
namespace {

/// Bytes of 's, 't, 're, 've, 'm, 'll, 'd, or 0.
size_t contraction(const char* at, const char* end) {
  const std::string_view tail(at + 1, static_cast<size_t>(end - at) - 1);
  if (tail.empty()) return 0;
  if (std::string_view("stmd").find(tail[0]) != std::string_view::npos) return 2;
  const std::string_view two = tail.substr(0, 2);
  return two == "re" || two == "ve" || two == "ll" ? 3 : 0;
}

/// The end of the run of `kind` from `at` on.
const char* run_end(const char* at, const char* end, CharClass kind) {
  while (at != end) {
    const char* next = at;
    if (class_of(next_code_point(next)) != kind) break;
    at = next;
  }
  return at;
}

/// White space in front of something else leaves its last character to what follows, unless it is the only one.
const char* space_end(const char* at, const char* end) {
  const char *last = at, *stop = at;
  while (stop != end) {
    const char* next = stop;
    if (class_of(next_code_point(next)) != CharClass::kSpace) break;
    last = stop;
    stop = next;
  }
  return stop == end || last == at ? stop : last;
}

}  // namespace

const char* gpt2_piece_end(const char* at, const char* end) {
  if (*at == '\'')
    if (const size_t bytes = contraction(at, end)) return at + bytes;
  const char* next = *at == ' ' && at + 1 != end ? at + 1 : at;
  const CharClass kind = class_of(next_code_point(next));
  return kind == CharClass::kSpace ? space_end(at, end) : run_end(next, end, kind);
}

}  // namespace sst::text
