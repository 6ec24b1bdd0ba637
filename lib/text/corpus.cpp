#include "text/corpus.hpp"

#include <fmt/core.h>
#include <glob.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "text/utf8.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDeepestNesting = 8;  // of archives in archives; more is an accident or an attack

/// Relative to the root, with what a glob would read as a pattern escaped.
std::string escaped_root(const fs::path& root) {
  std::string escaped;
  for (const char c : root.string()) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::vector<fs::path> matches_of(const std::string& pattern, const fs::path& root) {
  const fs::path exact = root / pattern;
  if (path_exists(exact)) return {exact};  // even where its name looks like a pattern
  const std::string full =
      fs::path(pattern).is_absolute() || root.empty() ? pattern : escaped_root(root) + "/" + pattern;
  ::glob_t found{};
  const int status = ::glob(full.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<fs::path> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (status != 0 || paths.empty())
    throw DataError("no file matches '" + exact.string() + "'", "relative paths count from data_root");
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Kinds of files that would otherwise be taken for plain text.
void check_kind_of_file(const fs::path& path) {
  static const std::set<std::string> kUnreadable = {".zip",  ".7z", ".rar", ".bz2", ".lz4",
                                                    ".lzma", ".Z",  ".bin", ".idx"};
  const std::string extension = path.extension().string();
  if (extension == ".parquet")
    throw DataError(path.string() + ": Parquet files are not read here",
                    "python3 data_tools/prepare_openwebtext.py turns them into .jsonl.zst");
  if (kUnreadable.contains(extension))
    throw DataError(path.string() + ": files of this kind are not read here",
                    "plain text or JSON lines, or compressed by gzip, xz or zstd, or tar archives of these");
}

std::string keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& entry : object.items()) keys.push_back("'" + entry.key() + "'");
  if (keys.size() > 8) keys.resize(8), keys.emplace_back("…");
  return keys.empty() ? "it has none" : "it has " + join(keys, ", ");
}

/// nlohmann's message without its number and place.
std::string reason_of(const nlohmann::json::parse_error& error) {
  const std::string_view what = error.what();
  const size_t start = what.find("syntax error");
  return std::string(start == std::string_view::npos ? what : what.substr(start));
}

std::string text_of_json(const RawDocument& document, const std::string& key) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(document.bytes);
  } catch (const nlohmann::json::parse_error& error) {
    throw DataError(document.where(error.byte > 0 ? error.byte - 1 : 0) + ": malformed JSON: " + reason_of(error),
                    "every line must be one JSON object");
  } catch (const nlohmann::json::out_of_range&) {  // it does not say where
    throw DataError(document.where() + ": malformed JSON: it has a number that is too large");
  }
  if (!object.is_object())
    throw DataError(fmt::format("{}: expected a JSON object, found {} {}", document.where(),
                                object.is_array() ? "an" : "a", object.type_name()),
                    "every line must be one JSON object");
  const auto value = object.find(key);
  if (value == object.end())
    throw DataError(fmt::format("{}: the object has no key '{}'; {}", document.where(), key, keys_of(object)),
                    "data.text_key names the key that holds the text");
  if (!value->is_string())
    throw DataError(fmt::format("{}: '{}' is a {}, not a string", document.where(), key, value->type_name()));
  return std::move(value->get_ref<std::string&>());
}

/// Where a file really lies, behind all links.
fs::path real_place(const fs::path& path) {
  std::error_code error;
  fs::path place = fs::canonical(path, error);
  if (error) throw DataError("cannot read '" + path.string() + "': " + error.message(), "see where its link leads");
  return place;
}

}  // namespace

std::vector<fs::path> corpus_files(const std::vector<std::string>& patterns, const fs::path& root) {
  std::vector<fs::path> files;
  std::set<fs::path> seen;
  for (const std::string& pattern : patterns) {
    for (const fs::path& path : matches_of(pattern, root)) {
      if (is_folder(path))
        throw DataError("'" + path.string() + "' is a folder", "name its files: '" + pattern + "/*'");
      if (!seen.insert(real_place(path)).second)
        throw DataError("'" + path.string() + "' is listed twice, so its documents would be read twice",
                        "make the paths and globs name each file once");
      files.push_back(path);
    }
  }
  return files;
}

std::string RawDocument::where(size_t position) const {
  const std::string_view before = std::string_view(bytes).substr(0, position);
  return fmt::format("{}, line {} (byte {})", source ? *source : "?",
                     line + std::count(before.begin(), before.end(), '\n'), offset + static_cast<int64_t>(position));
}

std::string document_text(RawDocument document, const CorpusOptions& options) {
  if (options.format == CorpusFormat::kJsonl)
    return text_of_json(document, options.text_key);  // JSON is UTF-8 or refused
  if (const auto malformed = first_malformed(document.bytes))
    throw DataError(fmt::format("{}: byte 0x{:02x} is not UTF-8", document.where(*malformed),
                                static_cast<unsigned char>(document.bytes[*malformed])),
                    "convert the file to UTF-8, for example with iconv");
  return std::move(document.bytes);
}

CorpusReader::CorpusReader(std::vector<fs::path> files, CorpusOptions options)
    : files_(std::move(files)), options_(std::move(options)) {
  for (const fs::path& path : files_) {
    check_kind_of_file(path);
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    if (error) throw DataError("cannot read '" + path.string() + "': " + error.message());
    if (bytes == 0) throw DataError("'" + path.string() + "' is empty");
    total_bytes_ += static_cast<int64_t>(bytes);
  }
}

int64_t CorpusReader::bytes_read() const { return bytes_before_ + (file_ ? file_->bytes_read() : 0); }

bool CorpusReader::next(RawDocument& document) {
  while (leaf_ != nullptr || open_leaf()) {
    document.bytes.clear();
    document.source = leaf_name_;
    if (options_.format == CorpusFormat::kText ? read_text(document) : read_json_line(document)) {
      ++documents_of_leaf_;
      ++documents_of_file_;
      return true;
    }
    leaf_ = nullptr;
  }
  return false;
}

/// Goes on to where the next documents come from.
bool CorpusReader::open_leaf() {
  while (leaf_ == nullptr) {
    if (archives_.empty()) {
      if (file_) close_file();
      if (!open_file()) return false;
    } else if (!open_member()) {
      archives_.pop_back();
    }
  }
  return true;
}

bool CorpusReader::open_file() {
  if (digests_.size() == files_.size()) return false;
  const fs::path& path = files_[digests_.size()];
  file_ = std::make_unique<FileSource>(path);
  documents_of_file_ = 0;
  leaf_name_.reset();
  if (is_packed(path.string())) {
    archives_.push_back(std::make_unique<ArchiveSource>(*file_, path.string()));
  } else {
    begin_leaf(*file_);
  }
  return true;
}

void CorpusReader::close_file() {
  const fs::path& path = files_[digests_.size()];
  if (documents_of_file_ == 0)
    throw DataError(fmt::format("'{}' holds no document", path.string()),
                    fmt::format("of an archive the members that end in {} are read",
                                options_.format == CorpusFormat::kText ? ".txt (data.format: text)"
                                                                       : ".json or .jsonl (data.format: jsonl)"));
  digests_.push_back(file_->finish());
  bytes_before_ += static_cast<int64_t>(digests_.back().bytes);
  file_.reset();
}

/// The next member of the innermost archive: a leaf, one more archive, or skipped. False when there is none.
bool CorpusReader::open_member() {
  ArchiveSource& archive = *archives_.back();
  if (!archive.next_member()) return false;
  if (!archive.is_archive()) {  // only compressed; at the top the user named it, whatever it is called
    if (archives_.size() == 1 || wants(without_compression(place()))) {
      begin_leaf(archive);
    } else {
      ++skipped_;
    }
    return true;
  }
  const std::string name = fs::path(archive.member()).filename().string();
  if (!archive.is_file() || starts_with(name, ".")) {  // folders, links, what macOS adds
    skipped_ += archive.is_file() ? 1 : 0;
  } else if (is_packed(name)) {
    if (archives_.size() == kDeepestNesting)
      throw DataError(fmt::format("{}: archives lie more than {} deep in one another", place(), kDeepestNesting));
    archives_.push_back(std::make_unique<ArchiveSource>(archive, place()));
  } else if (wants(name)) {
    begin_leaf(archive);
  } else {
    ++skipped_;
  }
  return true;
}

bool CorpusReader::wants(std::string_view member) const {
  if (options_.format == CorpusFormat::kText) return ends_with(member, ".txt");
  return ends_with(member, ".json") || ends_with(member, ".jsonl");
}

/// The file and the members that lead to where reading is.
std::string CorpusReader::place() const {
  std::string place = files_[digests_.size()].string();
  for (const auto& archive : archives_)
    if (!archive->member().empty()) place += ": " + archive->member();
  return place;
}

void CorpusReader::begin_leaf(ByteSource& bytes) {
  leaf_ = &bytes;
  leaf_name_ = std::make_shared<const std::string>(place());
  block_ = {};
  line_ = 1;
  offset_ = documents_of_leaf_ = 0;
}

/// Appends up to and with the next newline; false when nothing is left.
bool CorpusReader::append_line(std::string& to) {
  for (bool any = false;; any = true) {
    if (block_.empty()) block_ = leaf_->read();
    if (block_.empty()) return any;
    const size_t newline = block_.find('\n');
    const size_t length = newline == std::string_view::npos ? block_.size() : newline + 1;
    if (static_cast<int64_t>(to.size() + length) > options_.largest_document)
      throw DataError(
          fmt::format("{}, line {} (byte {}): the document is larger than {}", *leaf_name_, line_, offset_,
                      human_bytes(static_cast<double>(options_.largest_document))),
          options_.format == CorpusFormat::kText
              ? fmt::format("separate documents by a line that holds {} and nothing else", kDocumentSeparator)
              : "every line must be one JSON object");
    to.append(block_.substr(0, length));
    block_.remove_prefix(length);
    offset_ += static_cast<int64_t>(length);
    if (newline == std::string_view::npos) continue;
    ++line_;
    return true;
  }
}

bool CorpusReader::read_text(RawDocument& document) {
  document.line = line_;
  document.offset = offset_;
  size_t line_start = 0;
  while (append_line(document.bytes)) {
    std::string_view line = std::string_view(document.bytes).substr(line_start);
    if (ends_with(line, "\n")) line.remove_suffix(1);
    if (line == kDocumentSeparator) {
      document.bytes.resize(line_start == 0 ? 0 : line_start - 1);
      return true;
    }
    line_start = document.bytes.size();
  }
  return !document.bytes.empty() || documents_of_leaf_ == 0;
}

bool CorpusReader::read_json_line(RawDocument& document) {
  do {
    document.bytes.clear();
    document.line = line_;
    document.offset = offset_;
    if (!append_line(document.bytes)) return false;
  } while (document.bytes.find_first_not_of(" \t\r\n") == std::string::npos);
  return true;
}

}  // namespace sst::text
