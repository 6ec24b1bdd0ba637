#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "text/ordered_encoder.hpp"
#include "text/token_file.hpp"
#include "text/token_manifest.hpp"

namespace sst::text {

/// The shards of one split, one open at a time.
class SplitWriter {
 public:
  SplitWriter(std::filesystem::path folder, std::string name, TokenType type, int64_t shard_tokens);

  /// Throws ResourceError as SyncedFile; so does finish().
  void write(const EncodedDocument& document);
  SplitEntry finish();

 private:
  void open();
  void close();

  std::filesystem::path folder_;
  std::string name_;
  TokenType type_;
  int64_t shard_tokens_;
  SplitEntry split_ = {.words = 0};
  std::unique_ptr<TokenFileWriter> shard_;
};

}  // namespace sst::text
