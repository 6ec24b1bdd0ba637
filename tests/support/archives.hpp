#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace sst::testing {

/// A file; a folder where the name ends in a slash; or a link, whose content is what it points to.
struct ArchiveMember {
  enum class Kind { kFile, kSymbolicLink, kHardLink };

  std::string name, content;
  Kind kind = Kind::kFile;
};

/// The bytes of a tar archive, or with format "raw" of its one member alone, compressed by "none", "gzip", "xz" or "zstd".
inline std::string packed(const std::string& format, const std::string& filter,
                          const std::vector<ArchiveMember>& members) {
  const auto check = [](archive* writer, la_ssize_t status) {
    if (status < ARCHIVE_OK) throw std::runtime_error(archive_error_string(writer));
  };
  archive* const writer = archive_write_new();
  if (format == "raw") {
    check(writer, archive_write_set_format_raw(writer));
  } else {
    check(writer, archive_write_set_format_pax_restricted(writer));
  }
  if (filter != "none") check(writer, archive_write_add_filter_by_name(writer, filter.c_str()));
  std::string bytes;
  archive_write_set_bytes_in_last_block(writer, 1);
  check(writer, archive_write_open(
                    writer, &bytes, nullptr,
                    [](archive*, void* to, const void* block, size_t size) -> la_ssize_t {
                      static_cast<std::string*>(to)->append(static_cast<const char*>(block), size);
                      return static_cast<la_ssize_t>(size);
                    },
                    nullptr));
  for (const auto& [name, content, kind] : members) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    const bool is_folder = name.back() == '/';
    archive_entry_set_filetype(entry, is_folder ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, is_folder ? 0755 : 0644);
    if (kind == ArchiveMember::Kind::kSymbolicLink) {
      archive_entry_set_filetype(entry, AE_IFLNK);
      archive_entry_set_symlink(entry, content.c_str());
    } else if (kind == ArchiveMember::Kind::kHardLink) {
      archive_entry_set_hardlink(entry, content.c_str());
    }
    const std::string data = kind == ArchiveMember::Kind::kFile ? content : "";
    archive_entry_set_size(entry, static_cast<la_int64_t>(data.size()));
    check(writer, archive_write_header(writer, entry));
    if (!data.empty()) check(writer, archive_write_data(writer, data.data(), data.size()));
    archive_entry_free(entry);
  }
  check(writer, archive_write_close(writer));
  archive_write_free(writer);
  return bytes;
}

inline std::string compressed(const std::string& filter, const std::string& content) {
  return packed("raw", filter, {{"data", content}});
}

}  // namespace sst::testing
