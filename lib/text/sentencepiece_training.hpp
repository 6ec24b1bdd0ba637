#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "text/tokenizer.hpp"

namespace sst::text {

/// Gives the next sentence, or false after the last one.
using NextSentence = std::function<bool(std::string& sentence)>;

/// Trains a SentencePiece model of `vocab_size` pieces by `algorithm` with `character_coverage`, and writes it to
/// `path` in one piece. All else is fixed: the normaliser nmt_nfkc, `<unk>` 0, `<s>` 1, `</s>` 2, `<pad>` 3, no byte
/// fallback, every sentence read in order (one above 1 MiB is left out), and 16 threads whatever the machine has, since
/// sums of the unigram model depend on how many there are. So the same sentences give the same bytes.
///   throws    UserError without vocab_size, or where it does not fit the text; DataError when a sentence is not UTF-8
void train_sentencepiece(const TokenizerOptions& options, const NextSentence& next, const std::filesystem::path& path);

}  // namespace sst::text
