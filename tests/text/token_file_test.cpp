#include "text/token_file.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::text {
namespace {

using sst::testing::TemporaryFolder;
using Tokens = std::vector<int64_t>;

Tokens tokens_of(const TokenFile& file) {
  Tokens tokens(static_cast<size_t>(file.size()));
  file.copy(0, tokens);
  return tokens;
}

std::string bytes_of(const std::vector<uint16_t>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * 2};
}

std::string header_bytes(const std::vector<int32_t>& numbers) {
  std::string header(1024, '\0');
  std::memcpy(header.data(), numbers.data(), numbers.size() * 4);
  return header;
}

}  // namespace

TEST_CASE("reference token files are read to their tokens, and the bad ones refused", "[text]") {
  const auto folder = sst::testing::shared_file("spec/token_files");
  if (!folder) return;
  const auto expected = nlohmann::json::parse(read_file(*folder / "expected.json"));
  for (const char* name : {"nanogpt.bin", "llmc_gpt2.bin", "llmc_u32.bin"}) {
    CAPTURE(name);
    const TokenFile file(*folder / name);
    CHECK(tokens_of(file) == expected[name]["tokens"].get<Tokens>());
    CHECK((file.layout() == TokenLayout::kLlmC) == (std::string(name) != "nanogpt.bin"));
  }
  const std::vector<std::pair<std::string, std::string>> reasons = {
      {"bad_magic.bin", "magic 20240521"},
      {"bad_version.bin", "version 2"},
      {"bad_truncated.bin", "promises 29 uint16 tokens, and 56 bytes"},
      {"bad_trailing.bin", "promises 29 uint16 tokens, and 60 bytes"},
      {"bad_short_header.bin", "ends inside its header: 1000 bytes of 1024"},
      {"bad_odd_nanogpt.bin", "57 bytes are no whole number of uint16 tokens"}};
  CHECK(expected["reject"].size() == reasons.size());
  for (const auto& [name, reason] : reasons) {
    REQUIRE(expected["reject"].contains(name));
    CHECK_THROWS_WITH(TokenFile(*folder / name), ContainsSubstring(name) && ContainsSubstring(reason));
  }
}

TEST_CASE("written token files equal the reference files byte for byte", "[text]") {
  const auto folder = sst::testing::shared_file("spec/token_files");
  if (!folder) return;
  const TemporaryFolder made;
  const auto ids_of = [&](const char* name) {
    const TokenFile file(*folder / name);
    std::vector<int32_t> ids;
    for (const int64_t token : tokens_of(file)) ids.push_back(static_cast<int32_t>(token));
    return ids;
  };
  const auto ids = ids_of("nanogpt.bin");
  TokenFileWriter plain(made / "nanogpt.bin", TokenType::kUint16);
  plain.write(std::span(ids).first(5));
  plain.write(std::span(ids).subspan(5));
  CHECK(plain.finish() == digest_of_file(*folder / "nanogpt.bin"));

  const auto llmc = ids_of("llmc_gpt2.bin");
  auto writer = TokenFileWriter::llm_c(made / "llmc.bin", TokenType::kUint16, static_cast<int64_t>(llmc.size()));
  writer.write(llmc);
  CHECK(writer.finish() == digest_of_file(*folder / "llmc_gpt2.bin"));
}

TEST_CASE("a written file is read back, in both types and layouts", "[text]") {
  const TemporaryFolder folder;
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 700'000; ++i) ids.push_back(i * 31 % 65536);
  const Tokens expected(ids.begin(), ids.end());
  for (const TokenType type : {TokenType::kUint16, TokenType::kUint32}) {
    TokenFileWriter plain(folder / "plain.bin", type);
    plain.write(ids);
    plain.finish();
    CHECK(tokens_of(TokenFile(folder / "plain.bin", type)) == expected);
    auto writer = TokenFileWriter::llm_c(folder / "llmc.bin", type, static_cast<int64_t>(ids.size()));
    writer.write(ids);
    writer.finish();
    const TokenFile file(folder / "llmc.bin");
    CHECK(file.type() == type);
    CHECK(tokens_of(file) == expected);
    CHECK(file[3] == 93);
    CHECK(file.find(93, 0) == 3);
    CHECK(file.find(93, 4) == 4 + std::find(expected.begin() + 4, expected.end(), 93) - (expected.begin() + 4));
    CHECK(file.find(-1, 0) == file.size());
    CHECK(file.find(70'000, 0) == file.size());
  }
}

TEST_CASE("an llm.c header holds less than 2^31 tokens and keeps its promise", "[text]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(TokenFileWriter::llm_c(folder / "a.bin", TokenType::kUint16, int64_t{1} << 31), UserError);
  auto writer = TokenFileWriter::llm_c(folder / "a.bin", TokenType::kUint16, 3);
  const std::vector<int32_t> two = {1, 2};
  writer.write(two);
  CHECK_THROWS_AS(writer.finish(), std::logic_error);
  TokenFileWriter narrow(folder / "b.bin", TokenType::kUint16);
  const std::vector<int32_t> large = {65536};
  CHECK_THROWS_AS(narrow.write(large), std::logic_error);
}

TEST_CASE("files without tokens, or of another kind, are no token files", "[text]") {
  const TemporaryFolder folder;
  const auto error_for = [&](const std::string& bytes) -> std::string {
    write_file_synced(folder / "a.bin", bytes);
    try {
      TokenFile(folder / "a.bin");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK_THAT(error_for(""), ContainsSubstring("holds no token"));
  CHECK_THAT(error_for(header_bytes({20240520, 1, 0})), ContainsSubstring("holds no token"));
  CHECK_THAT(error_for(header_bytes({20240520, 1, -1})), ContainsSubstring("promises -1"));
  CHECK_THAT(error_for(header_bytes({20240522, 1, 0})), ContainsSubstring("multiple-choice"));
  CHECK_THAT(error_for(header_bytes({20240801, 1, 0})), ContainsSubstring("version 1 of magic 20240801 is not 7"));
  CHECK_THROWS_WITH(TokenFile(folder / "absent.bin"), ContainsSubstring("cannot read"));
  CHECK_THROWS_WITH(TokenFile(folder.path()), ContainsSubstring("it is a folder"));
}

TEST_CASE("token and multiple-choice files with changed headers are read or refused", "[text]") {
  const TemporaryFolder folder;
  const std::string tokens = header_bytes({20240520, 1, 40}) + bytes_of(std::vector<uint16_t>(40, 7));
  const std::string choices =
      header_bytes({20240522, 1, 1, 32}) + bytes_of({65535, 32, 0, 1, 2, 3, 11, 12, 13, 2, 21, 22, 3, 31, 32, 33});
  CounterRng rng(5, Stream::kData);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = i % 2 == 0 ? tokens : choices;
    const size_t changeable = i % 2 == 0 ? 16 : 48;  // the header's numbers, or those and the example
    const size_t place = rng.below(changeable);
    bytes[place < 16 ? place : 1024 + place - 16] = static_cast<char>(rng.below(256));
    if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size() + 1));
    write_file_synced(folder / "a.bin", bytes);
    try {
      tokens_of(TokenFile(folder / "a.bin"));
    } catch (const DataError&) {
    }
    try {
      read_choice_file(folder / "a.bin");
    } catch (const DataError&) {
    }
  }
}

TEST_CASE("multiple-choice files are read, and refused where they contradict themselves", "[text]") {
  const TemporaryFolder folder;
  const std::vector<uint16_t> first = {65535, 32, 0, 1, 2, 3, 11, 12, 13, 2, 21, 22, 3, 31, 32, 33};
  const std::vector<uint16_t> second = {65535, 18, 1, 0, 1, 1, 5, 1, 6};
  const auto write = [&](const std::vector<int32_t>& header, const std::string& examples) {
    write_file_synced(folder / "c.bin", header_bytes(header) + examples);
  };
  write({20240522, 1, 2, 32}, bytes_of(first) + bytes_of(second));
  const auto examples = read_choice_file(folder / "c.bin");
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].label == 1);
  CHECK(examples[0].context == std::vector<int32_t>{11, 12, 13});
  CHECK(examples[0].completions == std::vector<std::vector<int32_t>>{{21, 22}, {31, 32, 33}});
  CHECK(examples[1].index == 1);

  const auto refused = [&](const std::string& reason) {
    CHECK_THROWS_WITH(read_choice_file(folder / "c.bin"), ContainsSubstring(reason));
  };
  write({20240522, 1, 2, 32}, bytes_of(first));
  refused("example 1: it is cut off");
  write({20240522, 1, 1, 32}, bytes_of(first) + bytes_of(second));
  refused("18 bytes follow its 1 examples");
  write({20240522, 1, 1, 30}, bytes_of(first));
  refused("32 bytes are more than the 30");
  write({20240520, 1, 1, 32}, bytes_of(first));
  refused("magic 20240520 is not 20240522");
  auto wrong = first;
  wrong[3] = 2;
  write({20240522, 1, 1, 32}, bytes_of(wrong));
  refused("label 2 is not one of 2 completions");
  wrong = first;
  wrong[1] = 30;
  write({20240522, 1, 1, 32}, bytes_of(wrong));
  refused("it says 30 bytes and has 32");
}

}  // namespace sst::text
