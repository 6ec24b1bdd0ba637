#pragma once

namespace sst::text {

/// Where the piece that begins at `at` ends, in valid UTF-8 with at < end: one match of GPT-2's pattern
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// Pieces follow each other without gaps, so that a text is cut by calling this until the end.
const char* gpt2_piece_end(const char* at, const char* end);

}  // namespace sst::text
