#include "text/corpus.hpp"

#include "core/error.hpp"
#include "tests/support/archives.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;
using sst::testing::compressed;
using sst::testing::packed;
using sst::testing::TemporaryFolder;
using Texts = std::vector<std::string>;

constexpr CorpusOptions kPlain = {};
const CorpusOptions kJson = {.format = CorpusFormat::kJsonl};

Texts read_all(const std::vector<fs::path>& files, const CorpusOptions& options) {
  CorpusReader reader(files, options);
  Texts texts;
  for (RawDocument document; reader.next(document);) texts.push_back(document_text(std::move(document), options));
  CHECK(reader.bytes_read() == reader.total_bytes());
  return texts;
}

fs::path put(const TemporaryFolder& folder, const std::string& name, const std::string& bytes) {
  write_file_synced(folder / name, bytes);
  return folder / name;
}

/// The documents of one plain text file.
Texts documents_of(const std::string& bytes) {
  const TemporaryFolder folder;
  return read_all({put(folder, "a.txt", bytes)}, kPlain);
}

std::string error_of(const std::vector<fs::path>& files, const CorpusOptions& options) {
  try {
    read_all(files, options);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a text file is cut at separator lines and is otherwise one document, to the last byte", "[text]") {
  CHECK(documents_of("one\n\ntwo \n") == Texts{"one\n\ntwo \n"});
  CHECK(documents_of("one\n<|endoftext|>\ntwo\n\n<|endoftext|>\n") == Texts{"one", "two\n"});
  CHECK(documents_of("one\n<|endoftext|>\ntail\n") == Texts{"one", "tail\n"});
  CHECK(documents_of("one\n<|endoftext|>") == Texts{"one"});
  CHECK(documents_of("a <|endoftext|>\n<|endoftext|> b") == Texts{"a <|endoftext|>\n<|endoftext|> b"});
  CHECK(documents_of("<|endoftext|>\n\n<|endoftext|>\nx") == Texts{"", "", "x"});
}

TEST_CASE("documents do not depend on how their file is packed", "[text]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60'000; ++i)
    text += "line " + std::to_string(i * 7919) + (i % 997 == 0 ? "\n<|endoftext|>\n" : "\n");
  const Texts expected = documents_of(text);
  REQUIRE(expected.size() == 62);
  const std::string half = text.substr(0, text.size() / 2), rest = text.substr(text.size() / 2);
  const std::vector<std::pair<std::string, std::string>> ways = {{"gz", "gzip"}, {"xz", "xz"}, {"zst", "zstd"}};
  for (const auto& [ending, filter] : ways) {
    CAPTURE(ending);
    CHECK(read_all({put(folder, "b.txt." + ending, compressed(filter, text))}, kPlain) == expected);
    CHECK(read_all({put(folder, "c." + ending, compressed(filter, half) + compressed(filter, rest))}, kPlain) ==
          expected);
    CHECK(read_all({put(folder, "d.tar." + ending, packed("tar", filter, {{"x/", ""}, {"x/d.txt", text}}))}, kPlain) ==
          expected);
  }
  CHECK(read_all({put(folder, "d.tgz", packed("tar", "gzip", {{"d.txt", text}}))}, kPlain) == expected);
  CHECK(read_all({put(folder, "d.tar", packed("tar", "none", {{"d.txt", text}}))}, kPlain) == expected);
}

TEST_CASE("OpenWebText's own archive, a tar of xz-packed tars of texts, is read as published", "[text]") {
  const TemporaryFolder folder;
  const std::string first =
      packed("tar", "xz", {{"0001-a.txt", "first\n"}, {"0001-b.txt", "second"}, {"list.csv", "1"}});
  const std::string second = packed("tar", "xz", {{"0002-a.txt", ""}, {"0002-b.txt.gz", compressed("gzip", "fourth")}});
  const fs::path archive = put(folder, "openwebtext.tar.xz",
                               packed("tar", "xz",
                                      {{"openwebtext/", ""},
                                       {"openwebtext/urlsf_subset00-1_data.xz", first},
                                       {"openwebtext/README", "about"},
                                       {"openwebtext/._hidden.txt", "macOS"},
                                       {"openwebtext/urlsf_subset00-2_data.xz", second},
                                       {"openwebtext/note.xz", compressed("xz", "no text")}}));
  CorpusReader reader({archive}, kPlain);
  Texts texts;
  std::string last;
  for (RawDocument document; reader.next(document);) {
    last = document.where();
    texts.push_back(document_text(std::move(document), kPlain));
  }
  CHECK(texts == Texts{"first\n", "second", "", "fourth"});
  CHECK(reader.skipped_members() == 4);
  CHECK(last == archive.string() + ": openwebtext/urlsf_subset00-2_data.xz: 0002-b.txt.gz, line 1 (byte 0)");
  REQUIRE(reader.digests().size() == 1);
  CHECK(reader.digests()[0] == digest_of_file(archive));
}

TEST_CASE("JSON lines give the text under the key", "[text]") {
  const TemporaryFolder folder;
  const std::string lines =
      "{\"url\": \"u\", \"text\": \"a\\n\\u00fc\\ud83d\\ude00\"}\n\n  \r\n{\"text\": \"b\"}\r\n{\"text\":\"\"}";
  const Texts expected = {"a\nü😀", "b", ""};
  CHECK(read_all({put(folder, "a.jsonl", lines)}, kJson) == expected);
  CHECK(read_all({put(folder, "c4.json.gz", compressed("gzip", lines))}, kJson) == expected);
  CHECK(read_all(
            {put(folder, "c4.tar", packed("tar", "none", {{"1.json.zst", compressed("zstd", lines)}, {"2.txt", "x"}}))},
            kJson) == expected);
  CorpusOptions content = kJson;
  content.text_key = "content";
  CHECK(read_all({put(folder, "k.jsonl", "{\"content\":\"c\",\"text\":\"t\"}\n")}, content) == Texts{"c"});
}

TEST_CASE("what is wrong with a document is said with file, line and byte", "[text]") {
  const TemporaryFolder folder;
  const auto jsonl_error = [&](const std::string& second_line) {
    return error_of({put(folder, "a.jsonl", "{\"text\":\"ok\"}\n" + second_line + "\n")}, kJson);
  };
  CHECK_THAT(jsonl_error("{\"text\": nope}"), ContainsSubstring("a.jsonl, line 2 (byte 24): malformed JSON"));
  CHECK_THAT(jsonl_error("{\"title\":\"t\"}"),
             ContainsSubstring("line 2 (byte 14): the object has no key 'text'; it has 'title'"));
  CHECK_THAT(jsonl_error("{\"text\":3}"), ContainsSubstring("'text' is a number, not a string"));
  CHECK_THAT(jsonl_error("{\"text\":\"t\",\"score\":1e999}"), ContainsSubstring("a number that is too large"));
  CHECK_THAT(jsonl_error("[1]"), ContainsSubstring("expected a JSON object, found an array"));
  CHECK_THAT(jsonl_error("{\"text\":\"\xff\"}"), ContainsSubstring("line 2 (byte 23): malformed JSON"));
  CHECK_THAT(jsonl_error("{\"text\":\"cut"), ContainsSubstring("line 2"));

  const std::string bad = "one\n<|endoftext|>\ntwo\nthr\xc3\x28";
  CHECK_THAT(error_of({put(folder, "a.txt", bad)}, kPlain),
             ContainsSubstring("a.txt, line 4 (byte 25): byte 0xc3 is not UTF-8"));
  CHECK_THAT(error_of({put(folder, "a.tar", packed("tar", "none", {{"in/a.txt", bad}}))}, kPlain),
             ContainsSubstring("a.tar: in/a.txt, line 4 (byte 25)"));
  for (const char* malformed :
       {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xe2\x82"})
    CHECK_THAT(error_of({put(folder, "a.txt", malformed)}, kPlain), ContainsSubstring("is not UTF-8"));
  CHECK(documents_of("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf").size() ==
        1);

  CorpusOptions small = kPlain;
  small.largest_document = 10;
  CHECK_THAT(error_of({put(folder, "a.txt", "12345\n67890\n")}, small),
             ContainsSubstring("line 2 (byte 6): the document is larger than 10 B"));
}

TEST_CASE("a damaged or cut archive is refused, not read as far as it goes", "[text]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 2654435761U) + "\n";
  for (const auto& [ending, filter] :
       std::vector<std::pair<std::string, std::string>>{{"gz", "gzip"}, {"xz", "xz"}, {"zst", "zstd"}}) {
    CAPTURE(ending);
    const std::string whole = compressed(filter, text);
    for (const size_t kept : {whole.size() / 2, whole.size() - 10}) {
      CAPTURE(kept, whole.size());
      CHECK_THAT(error_of({put(folder, "a.txt." + ending, whole.substr(0, kept))}, kPlain),
                 ContainsSubstring("a.txt." + ending + ": damaged or cut off"));
    }
    CHECK_THAT(error_of({put(folder, "p.txt." + ending, text)}, kPlain),
               ContainsSubstring("not compressed as its name says"));
  }
  const std::string tar = packed("tar", "none", {{"a.txt", text}});
  CHECK_THAT(error_of({put(folder, "a.tar", tar.substr(0, tar.size() / 2))}, kPlain),
             ContainsSubstring("a.tar: a.txt: damaged or cut off"));
  const std::string inner = packed("tar", "xz", {{"a.txt", text}});
  CHECK_THAT(error_of({put(folder, "o.tar", packed("tar", "none", {{"i.tar.xz", inner.substr(0, inner.size() / 2)}}))},
                      kPlain),
             ContainsSubstring("o.tar: i.tar.xz: a.txt: damaged or cut off"));
  const std::string outer = packed("tar", "none", {{"i.tar.xz", inner}});
  CHECK_THAT(error_of({put(folder, "o.tar", outer.substr(0, outer.size() / 2))}, kPlain),
             ContainsSubstring("o.tar: i.tar.xz: damaged or cut off"));
  CHECK_THAT(error_of({put(folder, "t.tar", text)}, kPlain), ContainsSubstring("t.tar: not a tar archive"));
  CHECK_THAT(error_of({put(folder, "t.tar.gz", compressed("gzip", text))}, kPlain),
             ContainsSubstring("not a tar archive"));
}

TEST_CASE("a file that gives no document is refused", "[text]") {
  const TemporaryFolder folder;
  CHECK_THAT(error_of({put(folder, "a.tar", packed("tar", "none", {{"README.md", "about"}}))}, kPlain),
             ContainsSubstring("a.tar' holds no document"));
  CHECK_THAT(error_of({put(folder, "a.jsonl", "\n\n")}, kJson), ContainsSubstring("a.jsonl' holds no document"));
  CHECK_THAT(error_of({put(folder, "a.txt.gz", compressed("gzip", ""))}, kPlain), ContainsSubstring("a.txt.gz"));
  CHECK_THAT(error_of({put(folder, "a.txt", "")}, kPlain), ContainsSubstring("is empty"));
  CHECK_THAT(error_of({put(folder, "a.zip", "PK")}, kPlain), ContainsSubstring("not read here"));
  CHECK_THAT(error_of({folder / "absent.txt"}, kPlain), ContainsSubstring("cannot read"));
}

TEST_CASE("archives nested without end are refused", "[text]") {
  const TemporaryFolder folder;
  std::string bytes = packed("tar", "none", {{"a.txt", "deep"}});
  for (int depth = 0; depth < 7; ++depth) bytes = packed("tar", "gzip", {{"a.tar.gz", bytes}});
  bytes = packed("tar", "none", {{"a.tar.gz", bytes}});
  CHECK_THAT(error_of({put(folder, "a.tar", bytes)}, kPlain), ContainsSubstring("more than 8 deep"));
}

TEST_CASE("a link in an archive is not followed, wherever it points", "[text]") {
  using enum sst::testing::ArchiveMember::Kind;
  const TemporaryFolder folder;
  fs::create_directories(folder / "in");
  put(folder, "x.txt", "outside");
  put(folder, "in/x.txt", "beside");
  const std::vector<std::string> targets = {"/etc/passwd", "../x.txt", "x.txt", "first.txt", "link.txt", "absent"};
  for (const auto kind : {kSymbolicLink, kHardLink}) {
    for (const std::string& target : targets) {
      CAPTURE(kind == kHardLink, target);
      const std::string bytes =
          packed("tar", "gzip", {{"first.txt", "1"}, {"link.txt", target, kind}, {"last.txt", "2"}});
      CHECK(read_all({put(folder, "in/a.tar.gz", bytes)}, kPlain) == Texts{"1", "2"});
      CHECK_THAT(error_of({put(folder, "in/b.tar", packed("tar", "none", {{"link.txt", target, kind}}))}, kPlain),
                 ContainsSubstring("b.tar' holds no document"));
    }
  }
}

TEST_CASE("a link to nothing, or to itself, is reported as the file that can't be read", "[text]") {
  const TemporaryFolder folder;
  fs::create_symlink("absent.txt", folder / "dangling.txt");
  fs::create_symlink("loop.txt", folder / "loop.txt");
  fs::create_symlink("there", folder / "back");
  fs::create_symlink("back", folder / "there");
  put(folder, "good.txt", "good");
  fs::create_symlink("good.txt", folder / "link.txt");
  for (const std::string name : {"dangling.txt", "loop.txt", "back/a.txt"}) {
    for (const std::string& pattern : {name, name + "*", "*" + name}) {
      CAPTURE(pattern);
      std::string message = "no error";
      try {
        read_all(corpus_files({pattern}, folder.path()), kPlain);
      } catch (const DataError& error) {
        message = error.what();
      }
      CHECK_THAT(message,
                 ContainsSubstring((folder / pattern).string()) || ContainsSubstring((folder / name).string()));
    }
  }
  CHECK(read_all(corpus_files({"link.txt"}, folder.path()), kPlain) == Texts{"good"});
  CHECK_THROWS_WITH(corpus_files({"good.txt", "link.txt"}, folder.path()), ContainsSubstring("is listed twice"));
}

TEST_CASE("paths and globs name each file once, in a fixed order", "[text]") {
  const TemporaryFolder outer;
  const fs::path root = outer / "data [1]";
  fs::create_directories(root / "sub");
  for (const char* name : {"b.txt", "a.txt", "10.txt", "9.txt", "x[1].txt", "sub/c.txt"})
    write_file_synced(root / name, "t");
  const auto names = [&](const std::vector<std::string>& patterns) {
    Texts found;
    for (const fs::path& path : corpus_files(patterns, root)) found.push_back(path.filename().string());
    return found;
  };
  CHECK(names({"sub/*.txt", "[ab].txt"}) == Texts{"c.txt", "a.txt", "b.txt"});
  CHECK(names({"*.txt"}) == Texts{"10.txt", "9.txt", "a.txt", "b.txt", "x[1].txt"});
  CHECK(names({"x[1].txt"}) == Texts{"x[1].txt"});
  CHECK(names({(root / "a.txt").string()}) == Texts{"a.txt"});
  CHECK_THROWS_WITH(names({"a.txt", "*.txt"}), ContainsSubstring("a.txt' is listed twice"));
  CHECK_THROWS_WITH(names({"*.jsonl"}), ContainsSubstring("no file matches"));
  CHECK_THROWS_WITH(names({"sub"}), ContainsSubstring("is a folder"));
}

TEST_CASE("the sample of OpenWebText has its documents", "[text]") {
  const auto path = sst::testing::shared_file("data/lm/openwebtext_sample_val.jsonl.xz");
  if (!path) return;
  CHECK(read_all({*path}, kJson).size() == 50);
}

}  // namespace sst::text
