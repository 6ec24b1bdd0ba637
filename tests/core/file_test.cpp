#include "core/file.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using sst::FileReader;
using sst::read_file;
using sst::sha256_of_file;
using sst::SyncedFile;

namespace {

/// Bytes no two blocks of which are equal.
std::string varied(size_t count) {
  std::string bytes(count, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace

TEST_CASE("what is no file is refused at once, not waited for or read without end", "[core]") {
  const sst::testing::TemporaryFolder folder;
  const auto pipe = folder / "pipe", link = folder / "link", loop = folder / "loop";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/zero", link);
  std::filesystem::create_symlink("loop", loop);
  struct Refusal {
    std::filesystem::path path;
    std::string reason;
  };
  for (const auto& [path, reason] : std::vector<Refusal>{{pipe, "a pipe or a device"},
                                                         {link, "a pipe or a device"},
                                                         {loop, "Too many levels"},
                                                         {folder.path(), "it is a folder"},
                                                         {folder / "absent", "No such file"}}) {
    CAPTURE(path.string());
    CHECK_THROWS_AS(read_file(path), sst::DataError);
    CHECK_THROWS_WITH(read_file(path), ContainsSubstring(path.string() + "': ") && ContainsSubstring(reason));
    CHECK_THROWS_WITH(sha256_of_file(path), ContainsSubstring(path.string() + "': ") && ContainsSubstring(reason));
  }
}

TEST_CASE("a file larger than the blocks it is written in has its bytes, past the system's cache or through it",
          "[core]") {
  const sst::testing::TemporaryFolder in_memory, on_disk(std::filesystem::temp_directory_path());
  constexpr size_t kBlock = size_t{16} << 20;
  const auto whole = varied(2 * kBlock + 4097);
  // the end of a block within a piece, at the end of one, and a rest that is no multiple of a sector, or nothing
  for (const size_t size : {size_t{0}, size_t{5}, kBlock - 1, kBlock, 2 * kBlock, 2 * kBlock + 4097})
    for (const size_t piece : {size_t{1} << 20, size_t{3000001}, kBlock + 1})
      for (const auto* const folder : {&in_memory, &on_disk})
        for (const auto cache : {SyncedFile::Cache::kUsed, SyncedFile::Cache::kPassedBy}) {
          CAPTURE(size, piece, folder->path().string());
          const std::string_view bytes = std::string_view(whole).substr(0, size);
          SyncedFile file(*folder / "file", cache);
          for (size_t at = 0; at < size; at += piece) file.write(bytes.substr(at, piece));
          const auto digest = file.finish();
          CHECK(digest.bytes == size);
          CHECK(digest.sha256 == sst::sha256_hex(bytes));
          REQUIRE(read_file(*folder / "file") == bytes);
        }
}

TEST_CASE("a file that is left unfinished while a block is on its way ends there", "[core]") {
  const sst::testing::TemporaryFolder folder;
  const auto bytes = varied(size_t{40} << 20);
  { SyncedFile(folder / "file", SyncedFile::Cache::kPassedBy).write(bytes); }
  const auto left = read_file(folder / "file");
  CHECK(left.size() < bytes.size());
  CHECK(bytes.starts_with(left));
}

TEST_CASE("a disk that fills up within a large file says so", "[core]") {
  const auto bytes = varied(size_t{20} << 20);
  const auto write = [&] {
    SyncedFile file("/dev/full", SyncedFile::Cache::kPassedBy);
    for (int i = 0; i < 3; ++i) file.write(bytes);
    file.finish();
  };
  CHECK_THROWS_AS(write(), sst::ResourceError);
  CHECK_THROWS_WITH(write(), ContainsSubstring("'/dev/full'") && ContainsSubstring("No space left"));
}

TEST_CASE("parts of a file are read where they lie, and not past its end", "[core]") {
  const sst::testing::TemporaryFolder folder;
  const auto bytes = varied(100000);
  sst::write_file_synced(folder / "file", bytes);
  const FileReader reader(folder / "file");
  std::string part(1000, '\0');
  reader.read(98765, part);
  CHECK(part == bytes.substr(98765, 1000));
  CHECK_THROWS_WITH(reader.read(99001, part), ContainsSubstring("it ends too early"));
  CHECK_THROWS_AS(FileReader(folder / "absent"), sst::DataError);
}
