#include "text/line_reader.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "text/utf8.hpp"

namespace sst::text {
namespace {

std::filesystem::path opened_path(const std::filesystem::path& path) {
  if (path == kStandardInput) return "/dev/stdin";
  if (is_folder(path)) throw DataError("'" + path.string() + "' is a folder, not a file of lines");
  return path;
}

}  // namespace

LineReader::LineReader(std::filesystem::path path) : path_(std::move(path)), file_(opened_path(path_)) {
  if (!is_packed(path_.string())) return;
  unpacked_ = std::make_unique<ArchiveSource>(file_, path_.string());
  if (!unpacked_->next_member()) throw DataError("'" + path_.string() + "' is empty");
  if (unpacked_->is_archive())
    throw DataError("'" + path_.string() + "' is an archive, not one file of lines", "unpack it, and name its files");
}

bool LineReader::next(std::string& line) {
  line.clear();
  bool any = false;
  for (size_t newline = std::string_view::npos; newline == std::string_view::npos; any = true) {
    if (block_.empty()) block_ = unpacked_ ? unpacked_->read() : file_.read();
    if (block_.empty()) break;
    newline = block_.find('\n');
    line.append(block_.substr(0, newline));
    block_.remove_prefix(newline == std::string_view::npos ? block_.size() : newline + 1);
  }
  if (!any) return false;
  ++line_;
  if (ends_with(line, "\r")) line.pop_back();
  if (const auto malformed = first_malformed(line))
    throw DataError(fmt::format("{}: byte {} of the line (0x{:02x}) is not UTF-8", where(), *malformed + 1,
                                static_cast<unsigned char>(line[*malformed])),
                    "convert the file to UTF-8, for example with iconv");
  return true;
}

std::string LineReader::where() const {
  return fmt::format("{}:{}", path_ == kStandardInput ? "standard input" : path_.string(), line_);
}

NextLine lines_of(std::vector<std::filesystem::path> files) {
  struct Reader {
    std::vector<std::filesystem::path> files;
    size_t opened = 0;
    std::unique_ptr<LineReader> lines;
  };
  const auto reader = std::make_shared<Reader>();
  reader->files = std::move(files);
  return [reader](std::string& line) {
    while (!reader->lines || !reader->lines->next(line)) {
      if (reader->opened == reader->files.size()) return false;
      reader->lines = std::make_unique<LineReader>(reader->files[reader->opened++]);
    }
    return true;
  };
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(std::move(line));
  return lines;
}

}  // namespace sst::text
