#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace sst::testing {

/// The content of an .xz file.
inline std::string decompressed(const std::filesystem::path& path) {
  archive* reader = archive_read_new();
  archive_read_support_filter_xz(reader);
  archive_read_support_format_raw(reader);
  archive_entry* entry = nullptr;
  if (archive_read_open_filename(reader, path.c_str(), 1 << 16) != ARCHIVE_OK ||
      archive_read_next_header(reader, &entry) != ARCHIVE_OK)
    throw std::runtime_error("cannot decompress " + path.string());
  std::string bytes, block(1 << 20, '\0');
  for (la_ssize_t read = 0; (read = archive_read_data(reader, block.data(), block.size())) != 0;) {
    if (read < 0) throw std::runtime_error("cannot decompress " + path.string());
    bytes.append(block, 0, static_cast<size_t>(read));
  }
  archive_read_free(reader);
  return bytes;
}

}  // namespace sst::testing
