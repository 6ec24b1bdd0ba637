#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sst::testing {

/// The bytes of a tar archive, or with format "raw" of its one member alone, compressed by "none", "gzip", "xz" or "zstd".
inline std::string packed(const std::string& format, const std::string& filter,
                          const std::vector<std::pair<std::string, std::string>>& members) {
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
  for (const auto& [name, content] : members) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    const bool is_folder = name.back() == '/';
    archive_entry_set_filetype(entry, is_folder ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, is_folder ? 0755 : 0644);
    check(writer, archive_write_header(writer, entry));
    if (!content.empty()) check(writer, archive_write_data(writer, content.data(), content.size()));
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
