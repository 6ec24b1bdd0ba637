#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "text/sentencepiece_training.hpp"
#include "text/tokenizer.hpp"

namespace sst::tasks {

/// Where a tokenizer trained on these files lies: below data_root/prepared, named by all that decides it.
///   reading     what else decides the sentences that it learns from
///   extension   ".model"
std::filesystem::path trained_tokenizer_place(const text::TokenizerOptions& options, const std::string& reading,
                                              const std::vector<std::filesystem::path>& files,
                                              const std::filesystem::path& data_root, const std::string& extension);

/// The options with the model at `path`.
text::TokenizerOptions with_model(text::TokenizerOptions options, const std::filesystem::path& path);

/// Throws DataError "the tokenizer has not been trained" unless the file is there.
void require_trained(const std::filesystem::path& path);

/// The name under which a checkpoint keeps the tokenizer of a language model; "" for gpt2_bpe, whose files lie side by
/// side, and for bytes, which has none.
std::string kept_tokenizer_name(const std::string& type);
/// The same for translation: one file for both languages, or "" where each has its own, called by the language.
std::string kept_sentence_tokenizer(const text::TokenizerOptions& options);

/// The file itself where `path` is a folder with a single *.model in it.
std::filesystem::path single_model_file(const std::filesystem::path& path);

}  // namespace sst::tasks
