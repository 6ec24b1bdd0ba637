#include "data/language_data.hpp"

#include "core/error.hpp"
#include "core/file.hpp"
#include "recipe/schema.hpp"
#include "tests/support/byte_tokenizer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::data {
namespace {

namespace fs = std::filesystem;
using sst::testing::ByteTokenizer;
using sst::testing::TemporaryFolder;

recipe::OneOrMany<recipe::Path> paths(const std::vector<std::string>& texts) {
  recipe::OneOrMany<recipe::Path> list;
  for (const std::string& text : texts) list.values.push_back({text});
  return list;
}

struct LanguageCase {
  TemporaryFolder root;
  LanguageDataOptions options = {
      .format = "text", .train = paths({"corpus/*.txt"}), .valid_fraction = 0.1, .seq_len = 16};
  ByteTokenizer tokenizer;

  LanguageCase() {
    fs::create_directories(root / "corpus");
    for (const char* name : {"a", "b"}) {
      std::string text;
      for (int i = 0; i < 100; ++i) text += std::string(20 + i % 7, *name) + "\n<|endoftext|>\n";
      write_file_synced(root / "corpus" / (std::string(name) + ".txt"), text);
    }
  }
  text::Preparation prepare() const { return prepare_language_data(options, root.path(), tokenizer); }
  LanguageData load() const { return load_language_data(options, root.path(), tokenizer); }
};

std::vector<std::string> ids_of(const LanguageDataOptions& options) {
  std::vector<std::string> ids;
  for (const Problem& problem : check_language_options(options)) ids.push_back(problem.id);
  return ids;
}

}  // namespace

TEST_CASE("a corpus is prepared into a folder named by its hash, and loaded from there", "[data]") {
  const LanguageCase one;
  const auto folder = prepared_folder(one.options, one.root.path(), one.tokenizer);
  REQUIRE(folder);
  CHECK(folder->parent_path() == one.root / "prepared");
  CHECK_THROWS_WITH(one.load(), ContainsSubstring("holds no token shards"));
  const auto made = one.prepare();
  CHECK_FALSE(made.was_there);
  CHECK(made.manifest.train.documents + made.manifest.valid.documents == 200);
  CHECK(one.prepare().was_there);
  const LanguageData data = one.load();
  CHECK(data.train.tokens() == made.manifest.train.tokens);
  REQUIRE(data.valid);
  CHECK(data.valid->tokens() == made.manifest.valid.tokens);
  CHECK(data.valid_text_bytes == made.manifest.valid.bytes);
  CHECK(data.sha256 == made.manifest.sha256());

  // The folder alone is enough to train elsewhere.
  LanguageCase elsewhere;
  elsewhere.options = {.format = "prepared", .prepared_dir = recipe::Path{folder->string()}, .seq_len = 16};
  CHECK(elsewhere.load().sha256 == data.sha256);
  CHECK(elsewhere.prepare().was_there);
  elsewhere.tokenizer = ByteTokenizer("another");
  CHECK_THROWS_WITH(elsewhere.load(), ContainsSubstring("another tokenizer made them"));
}

TEST_CASE("stale shards in a named folder are refused", "[data]") {
  LanguageCase one;
  one.options.prepared_dir = recipe::Path{"shards"};
  one.prepare();
  CHECK(fs::exists(one.root / "shards" / "manifest.json"));
  write_file_synced(one.root / "corpus/b.txt", "something else");
  CHECK_THROWS_WITH(one.load(), ContainsSubstring("b.txt' has changed since they were made"));
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("b.txt' has changed since they were made"));
}

TEST_CASE("token files are mapped as they are, without preparation", "[data]") {
  LanguageCase one;
  const std::vector<int32_t> ids = {104, 105, 256, 104, 111, 256, 97, 98, 99, 256};
  for (const char* name : {"train.bin", "val.bin"}) {
    text::TokenFileWriter writer(one.root / name, text::TokenType::kUint16);
    writer.write(ids);
    writer.finish();
  }
  one.options = {.format = "tokens", .train = paths({"train.bin"}), .seq_len = 4};
  CHECK_FALSE(prepared_folder(one.options, one.root.path(), one.tokenizer));
  CHECK(one.load().train.size() == 2);
  CHECK_FALSE(one.load().valid);
  one.options.valid = paths({"val.bin"});
  one.options.packing = "document";
  const LanguageData data = one.load();
  CHECK(data.valid->size() == 3);
  CHECK_FALSE(data.valid_text_bytes);
  CHECK(data.sha256 == one.load().sha256);
  CHECK_THAT(describe(one.prepare()), ContainsSubstring("train: 10 tokens\nvalid: 10 tokens\nnothing to do"));
  one.options.seq_len = 400;
  one.options.packing = "contiguous";
  CHECK_THROWS_WITH(one.load(), ContainsSubstring("the train split has 10 tokens"));
}

TEST_CASE("keys of data that contradict each other are found before any file is looked at", "[data]") {
  using Ids = std::vector<std::string>;
  const auto train = paths({"a.txt"});
  CHECK(ids_of({.format = "text", .train = train, .seq_len = 8}).empty());
  CHECK(ids_of({.format = "prepared", .prepared_dir = recipe::Path{"p"}, .seq_len = 8}).empty());
  CHECK(ids_of({.format = "jsonl", .seq_len = 8}) == Ids{"E-train-files"});
  CHECK(ids_of({.format = "text", .train = train, .valid = train, .valid_fraction = 0.1}) == Ids{"E-valid-fraction"});
  CHECK(ids_of({.format = "tokens", .train = train, .valid_fraction = 0.1}) == Ids{"E-valid-fraction"});
  CHECK(ids_of({.format = "tokens", .train = train, .prepared_dir = recipe::Path{"p"}}) == Ids{"E-prepared-dir"});
  CHECK(ids_of({.format = "prepared", .train = train}) == Ids{"E-prepared-dir", "E-prepared-files"});
}

TEST_CASE("the keys of data for language models make a schema", "[data]") {
  recipe::Schema schema;
  schema.describe<LanguageDataOptions>("data");
  CHECK(schema.find("data.valid_fraction") != nullptr);
  CHECK(schema.find("data.train") != nullptr);
}

}  // namespace sst::data
