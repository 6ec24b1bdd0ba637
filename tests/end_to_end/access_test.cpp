#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/temporary_folder.hpp"

// Folders that a user may look into and not write to.
namespace sst {

TEST_CASE("a run in a folder without permission to write ends with 5 and the folder's name", "[end_to_end]") {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "locked");
  REQUIRE(::chmod((folder / "locked").c_str(), 0555) == 0);
  testing::Program program(folder.path());
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0) program.user = kNobody;  // nothing is locked for root
  const testing::Outcome refused = program.run({testing::smoke_recipe("graph_nc", "full"), "--out", "locked/run"});
  INFO(refused.err);
  if (refused.code == 127) {
    return testing::skip("the program lies where another user may not start it");
  }
  CHECK(refused.code == 5);
  CHECK_THAT(refused.err, ContainsSubstring("cannot make 'locked/run': Permission denied"));
}

}  // namespace sst
