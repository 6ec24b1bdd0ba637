#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "text/ordered_encoder.hpp"
#include "text/token_file.hpp"
#include "text/token_manifest.hpp"

namespace sst::text {

/// Files of a corpus that have been read to their end.
struct ReadFiles {
  std::vector<CorpusFile> files;
  int64_t skipped_members = 0;  ///< of archives
};

/// What one of several processes has tokenized of a split. It waits in the folder until the leader puts it into shards,
/// for which the documents of all processes before have to be counted.
class PartWriter {
 public:
  /// Its three files are `name` with an ending. Throws ResourceError, as the others here.
  PartWriter(const std::filesystem::path& folder, const std::string& name, TokenType type);

  void write(const EncodedDocument& document);
  void finish(const ReadFiles& read);

 private:
  void flush();

  std::filesystem::path path_;
  TokenFileWriter tokens_;
  SyncedFile documents_;
  std::string buffer_;  ///< of documents_
};

/// Hands on the documents of a part in order.
///   throws    DataError when it is not there, or not as its process wrote it
ReadFiles read_part(const std::filesystem::path& folder, const std::string& name, TokenType type,
                    const std::function<void(const EncodedDocument&)>& consume);

}  // namespace sst::text
