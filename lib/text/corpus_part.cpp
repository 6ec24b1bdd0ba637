#include "text/corpus_part.hpp"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

using Sizes = std::array<int64_t, 3>;  ///< of a document: ids, bytes and words of its text

constexpr size_t kBufferBytes = 1 << 16;

fs::path tokens_of(const fs::path& part) { return part.string() + ".tokens"; }
fs::path documents_of(const fs::path& part) { return part.string() + ".documents"; }
fs::path files_of(const fs::path& part) { return part.string() + ".json"; }

}  // namespace

PartWriter::PartWriter(const fs::path& folder, const std::string& name, TokenType type)
    : path_(folder / name), tokens_(tokens_of(path_), type), documents_(documents_of(path_)) {}

void PartWriter::write(const EncodedDocument& document) {
  tokens_.write(document.ids);
  const Sizes sizes = {static_cast<int64_t>(document.ids.size()), document.text_bytes, document.words};
  buffer_.append(reinterpret_cast<const char*>(sizes.data()), sizeof(sizes));
  if (buffer_.size() >= kBufferBytes) flush();
}

void PartWriter::flush() {
  documents_.write(buffer_);
  buffer_.clear();
}

void PartWriter::finish(const ReadFiles& read) {
  flush();
  auto files = nlohmann::ordered_json::array();
  for (const CorpusFile& file : read.files)
    files.push_back(
        {{"path", file.path}, {"bytes", file.bytes}, {"modified_ns", file.modified_ns}, {"sha256", file.sha256}});
  const nlohmann::ordered_json json = {{"files", files},
                                       {"skipped_members", read.skipped_members},
                                       {"tokens_sha256", tokens_.finish().sha256},
                                       {"documents_sha256", documents_.finish().sha256}};
  write_file_synced(files_of(path_), json.dump());
}

ReadFiles read_part(const fs::path& folder, const std::string& name, TokenType type,
                    const std::function<void(const EncodedDocument&)>& consume) {
  const fs::path part = folder / name;
  const auto require_whole = [&](bool is_whole) {
    if (!is_whole)
      throw DataError("what a process has tokenized, '" + part.string() + "', is not as it wrote it",
                      "prepare the data again");
  };
  const auto json = nlohmann::json::parse(read_file(files_of(part)), nullptr, /*allow_exceptions=*/false);
  require_whole(json.is_object());
  const MappedFile tokens(tokens_of(part)), documents(documents_of(part));
  require_whole(sha256_hex({tokens.data(), tokens.size()}) == json.at("tokens_sha256").get<std::string>());
  require_whole(sha256_hex({documents.data(), documents.size()}) == json.at("documents_sha256").get<std::string>());
  ReadFiles read = {.files = {}, .skipped_members = json.at("skipped_members")};
  for (const auto& file : json.at("files"))
    read.files.push_back({.path = file.at("path"),
                          .bytes = file.at("bytes"),
                          .modified_ns = file.at("modified_ns"),
                          .sha256 = file.at("sha256")});
  const auto width = static_cast<size_t>(type);
  std::vector<int32_t> ids;
  const char* next = tokens.data();
  for (size_t at = 0; at < documents.size(); at += sizeof(Sizes)) {
    Sizes sizes;
    std::memcpy(sizes.data(), documents.data() + at, sizeof(sizes));
    ids.resize(static_cast<size_t>(sizes[0]));
    for (int32_t& id : ids) {
      uint32_t value = 0;
      std::memcpy(&value, next, width);  // files are little-endian, as all machines we know
      id = static_cast<int32_t>(value);
      next += width;
    }
    consume({ids, sizes[1], sizes[2]});
  }
  return read;
}

}  // namespace sst::text
