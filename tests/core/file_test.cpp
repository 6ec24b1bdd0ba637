#include "core/file.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using sst::read_file;
using sst::sha256_of_file;

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
