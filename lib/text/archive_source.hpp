#pragma once

#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "text/byte_source.hpp"

struct archive;

namespace sst::text {

/// The name without .gz, .xz or .zst, and .tgz, .txz, .tzst as .tar; unchanged when it ends in none of them.
std::string without_compression(std::string_view name);

/// Whether a file of this name is opened as an ArchiveSource: compressed, a tar archive, or both.
bool is_packed(std::string_view name);

/// What is inside a compressed file or a tar archive, member after member. A compressed file that is no archive has one
/// member, itself. Reads as a stream, so that an archive inside an archive costs the memory of one more decoder.
class ArchiveSource : public ByteSource {
 public:
  /// `packed` has to outlive this object. `name` is for messages; what it ends in says what must be inside.
  ArchiveSource(ByteSource& packed, std::string name);
  ~ArchiveSource() override;

  /// Goes to the next member; false after the last one. Throws DataError with name and reason, as read() does.
  bool next_member();
  const std::string& member() const { return member_; }  ///< its path in the archive
  bool is_file() const { return is_file_; }              ///< no folder, no link
  bool is_archive() const { return is_archive_; }        ///< false: only compressed

  std::string_view read() override;

 private:
  [[noreturn]] void fail();
  void check_kind();

  ByteSource& packed_;
  std::string name_, member_;
  bool is_file_ = false, is_archive_ = false;
  std::exception_ptr upstream_error_;  ///< what reading `packed` threw, carried over libarchive
  std::string buffer_;
  std::unique_ptr<::archive, int (*)(::archive*)> archive_;
};

/// The bytes of a file, plain or compressed as its name says. Throws DataError with path and reason; an archive of several
/// files is one.
std::string read_unpacked(const std::filesystem::path& path);

}  // namespace sst::text
