#include "text/line_reader.hpp"

#include "tests/support/archives.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/text_vectors.hpp"

using namespace sst::text;
using namespace sst::testing;

TEST_CASE("lines end at newlines alone, in plain and in compressed files", "[text]") {
  const TemporaryFolder folder;
  const std::string text = "one\r\n\n two\u0085\x1C\x0B three \nlast" + std::string(600000, 'x');
  const std::vector<std::string> expected = {"one", "", " two\u0085\x1C\x0B three ", "last" + std::string(600000, 'x')};
  write_text(folder / "plain", text);
  CHECK(read_lines(folder / "plain") == expected);
  write_text(folder / "plain", text + "\n");
  CHECK(read_lines(folder / "plain") == expected);
  for (const auto& [ending, filter] : {std::pair{"gz", "gzip"}, {"xz", "xz"}, {"zst", "zstd"}}) {
    const auto path = folder / (std::string("text.") + ending);
    write_text(path, compressed(filter, text));
    CHECK(read_lines(path) == expected);
    LineReader reader(path);
    CHECK(reader.finish() == sst::digest_of_file(path));
  }
  write_text(folder / "empty", "");
  CHECK(read_lines(folder / "empty").empty());
}

TEST_CASE("what is no file of lines is named with its place", "[text]") {
  const TemporaryFolder folder;
  write_text(folder / "latin", "good\nbad \xE4 line\n");
  CHECK_THAT(data_error([&] { read_lines(folder / "latin"); }),
             ContainsSubstring("latin:2: byte 5 of the line (0xe4) is not UTF-8"));
  CHECK_THAT(data_error([&] { read_lines(folder / "absent"); }), ContainsSubstring("absent"));
  CHECK_THAT(data_error([&] { read_lines(folder.path()); }), ContainsSubstring("is a folder"));
  write_text(folder / "a.tar.gz", packed("tar", "gzip", {{"x.txt", "x"}}));
  CHECK_THAT(data_error([&] { read_lines(folder / "a.tar.gz"); }), ContainsSubstring("is an archive"));
}
