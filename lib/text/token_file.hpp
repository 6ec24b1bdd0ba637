#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.hpp"

namespace sst::text {

/// How many bytes a token takes in a file; little-endian.
enum class TokenType : int64_t { kUint16 = 2, kUint32 = 4 };

/// The smallest type for ids 0 … size − 1.
TokenType token_type_for(int64_t vocabulary_size);
std::string token_type_name(TokenType type);  ///< "uint16"

enum class TokenLayout {
  kNanoGpt,  ///< nothing but tokens
  kLlmC,     ///< a header of 1,024 bytes (docs/formats.md), then the tokens
};

/// A file mapped into memory for reading. Throws DataError with path and reason.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  const char* data() const { return static_cast<const char*>(memory_.get()); }
  size_t size() const { return size_; }

 private:
  std::shared_ptr<void> memory_;  ///< unmapped with the last copy
  size_t size_ = 0;
};

/// Token ids in a file, mapped and never read whole: any window costs the pages it touches.
class TokenFile {
 public:
  /// The magic number tells llm.c's files (GPT-2: uint16, LLaMA-3: uint32); everything else is nanoGPT's layout.
  ///   headerless  the type in a nanoGPT file, which does not record it
  ///   throws      DataError with path and reason: unknown magic or version, bytes too few or too many, no token at all
  ///   source      nanoGPT data/openwebtext/prepare.py; llm.c llmc/dataloader.h
  explicit TokenFile(std::filesystem::path path, TokenType headerless = TokenType::kUint16);

  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return size_; }  ///< tokens
  TokenType type() const { return type_; }
  TokenLayout layout() const { return layout_; }

  int64_t operator[](int64_t index) const {
    return type_ == TokenType::kUint16 ? static_cast<const uint16_t*>(tokens_)[index]
                                       : static_cast<const uint32_t*>(tokens_)[index];
  }
  /// Copies the tokens first, first + 1, … into `out`; first + out.size() ≤ size().
  void copy(int64_t first, std::span<int64_t> out) const;
  /// The index of the first `token` at or after `from`; size() when there is none.
  int64_t find(int64_t token, int64_t from) const;

 private:
  void read_header(size_t bytes);

  std::filesystem::path path_;
  MappedFile file_;
  const void* tokens_ = nullptr;
  int64_t size_ = 0;
  TokenType type_;
  TokenLayout layout_ = TokenLayout::kNanoGpt;
};

/// Writes a token file in pieces, flushed to disk at the end.
class TokenFileWriter {
 public:
  /// nanoGPT's layout, any number of tokens.
  TokenFileWriter(const std::filesystem::path& path, TokenType type);
  /// llm.c's layout, whose header comes first and holds the number of tokens. Throws UserError for 2³¹ tokens and more.
  static TokenFileWriter llm_c(const std::filesystem::path& path, TokenType type, int64_t tokens);

  /// Throws ResourceError as SyncedFile. Ids that the type cannot hold are our own mistake.
  void write(std::span<const int32_t> ids);
  int64_t tokens() const { return tokens_; }
  /// Throws std::logic_error when an llm.c header promised another number of tokens.
  FileDigest finish();

 private:
  void flush();

  std::unique_ptr<SyncedFile> file_;
  TokenType type_;
  int64_t tokens_ = 0;
  std::optional<int64_t> promised_;
  std::string buffer_;
};

/// One question of an llm.c multiple-choice file (HellaSwag, MMLU).
struct ChoiceExample {
  int64_t index = 0;
  int64_t label = 0;  ///< index of the right completion
  std::vector<int32_t> context;
  std::vector<std::vector<int32_t>> completions;
};

///   throws    DataError with path, example and reason
///   source    llm.c dev/data/data_common.py, write_evalfile
std::vector<ChoiceExample> read_choice_file(const std::filesystem::path& path);

}  // namespace sst::text
