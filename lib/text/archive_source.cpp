#include "text/archive_source.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace sst::text {
namespace {

constexpr size_t kArchiveBlock = 1 << 17;

}  // namespace

std::string without_compression(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEndings = {
      {{".gz", ""}, {".xz", ""}, {".zst", ""}, {".tgz", ".tar"}, {".txz", ".tar"}, {".tzst", ".tar"}}};
  for (const auto& [ending, instead] : kEndings)
    if (ends_with(name, ending)) return std::string(name.substr(0, name.size() - ending.size())) + std::string(instead);
  return std::string(name);
}

bool is_packed(std::string_view name) { return without_compression(name) != name || ends_with(name, ".tar"); }

ArchiveSource::ArchiveSource(ByteSource& packed, std::string name)
    : packed_(packed),
      name_(std::move(name)),
      buffer_(kArchiveBlock, '\0'),
      archive_(archive_read_new(), archive_read_free) {
  ::archive* const reader = archive_.get();
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_filter_zstd(reader);
  archive_read_support_format_tar(reader);
  archive_read_support_format_raw(reader);
  archive_read_support_format_empty(reader);
  const auto next_block = [](::archive* at, void* self, const void** block) -> la_ssize_t {
    auto& source = *static_cast<ArchiveSource*>(self);
    try {
      const std::string_view bytes = source.packed_.read();
      *block = bytes.data();
      return static_cast<la_ssize_t>(bytes.size());
    } catch (...) {  // must not pass through C
      source.upstream_error_ = std::current_exception();
      archive_set_error(at, EIO, "cannot be read");
      return -1;
    }
  };
  if (archive_read_open(reader, this, nullptr, next_block, nullptr) != ARCHIVE_OK) fail();
}

ArchiveSource::~ArchiveSource() = default;

void ArchiveSource::fail() {
  if (upstream_error_) std::rethrow_exception(upstream_error_);
  const char* reason = archive_error_string(archive_.get());
  std::string where = name_;
  if (!member_.empty()) where += ": " + member_;
  throw DataError(where + ": damaged or cut off: " + (reason ? reason : "no reason given"),
                  "fetch or copy the file again");
}

void ArchiveSource::check_kind() {
  const std::string inner = without_compression(name_);
  if (inner != name_ && archive_filter_count(archive_.get()) < 2)
    throw DataError(name_ + ": not compressed as its name says", "fetch the file again, or give it its true name");
  if (ends_with(inner, ".tar") && !is_archive_)
    throw DataError(name_ + ": not a tar archive", "fetch the file again, or give it its true name");
}

bool ArchiveSource::next_member() {
  ::archive_entry* entry = nullptr;
  const int status = archive_read_next_header(archive_.get(), &entry);
  if (status == ARCHIVE_EOF) return false;
  if (status < ARCHIVE_WARN) fail();  // a warning is about names in other alphabets, or times
  is_archive_ = archive_format(archive_.get()) != ARCHIVE_FORMAT_RAW;
  check_kind();
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) path = archive_entry_pathname_utf8(entry);  // where the locale has no such characters
  member_ = path == nullptr ? "?" : path;
  if (!is_archive_) member_.clear();
  is_file_ = !is_archive_ || (archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr);
  return true;
}

std::string_view ArchiveSource::read() {
  const la_ssize_t got = archive_read_data(archive_.get(), buffer_.data(), buffer_.size());
  if (got < 0) fail();
  return {buffer_.data(), static_cast<size_t>(got)};
}

std::string read_unpacked(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (!is_packed(name)) return read_file(path);
  FileSource file(path);
  ArchiveSource unpacked(file, name);
  if (!unpacked.next_member()) throw DataError("'" + name + "' is empty");
  if (unpacked.is_archive())
    throw DataError("'" + name + "' is an archive, not one file", "unpack it, and name its files");
  std::string bytes;
  for (auto block = unpacked.read(); !block.empty(); block = unpacked.read()) bytes += block;
  return bytes;
}

}  // namespace sst::text
