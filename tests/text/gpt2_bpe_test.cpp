#include "text/gpt2_bpe.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/text_vectors.hpp"
#include "text/gpt2_pieces.hpp"
#include "text/unicode_classes.hpp"
#include "text/utf8.hpp"

using namespace sst::text;
using namespace sst::testing;
using sst::CounterRng;

namespace {

std::vector<size_t> piece_lengths(std::string_view text) {
  std::vector<size_t> lengths;
  const char* const end = text.data() + text.size();
  for (const char *at = text.data(), *stop = at; at != end; at = stop) {
    stop = gpt2_piece_end(at, end);
    lengths.push_back(static_cast<size_t>(stop - at));
  }
  return lengths;
}

/// GPT-2's pattern as PCRE2 reads it.
class Pattern {
 public:
  Pattern() {
    const std::string text = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    int error = 0;
    size_t place = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP, &error, &place,
                          nullptr);
    match_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    pcre2_match_data_free(match_);
    pcre2_code_free(code_);
  }
  std::vector<size_t> piece_lengths(const std::string& text) const {
    std::vector<size_t> lengths;
    for (size_t at = 0; at < text.size(); at += lengths.back()) {
      const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_ANCHORED,
                                    match_, nullptr);
      REQUIRE(found > 0);
      lengths.push_back(pcre2_get_ovector_pointer(match_)[1] - at);
    }
    return lengths;
  }

 private:
  pcre2_code* code_;
  pcre2_match_data* match_;
};

/// The rule as it is written down: quadratic, and plain.
Ids merge_plainly(Ids ids, const Merges& merges) {
  while (true) {
    uint32_t lowest = Merges::kNever;
    for (size_t i = 0; i + 1 < ids.size(); ++i) lowest = std::min(lowest, merges.find(ids[i], ids[i + 1]).rank);
    if (lowest == Merges::kNever) return ids;
    Ids merged;
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto merge = i + 1 < ids.size() ? merges.find(ids[i], ids[i + 1]) : Merges::Merge{};
      merged.push_back(merge.rank == lowest ? merge.id : ids[i]);
      i += merge.rank == lowest;
    }
    ids = merged;
  }
}

/// A folder of a small tokenizer: the 256 bytes, "ab", "abc" and a separator.
class SmallModel {
 public:
  SmallModel() {
    int id = 0;
    const auto add = [&](const std::string& token) { vocab[token] = id++; };
    char32_t stand_in = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      std::string token;
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
      append_utf8(printable ? byte : stand_in++, token);
      add(token);
    }
    add("ab");
    add("abc");
    add("<|endoftext|>");
  }
  std::filesystem::path write() const {
    write_text(folder_ / "vocab.json", vocab_text.empty() ? vocab.dump() : vocab_text);
    write_text(folder_ / "merges.txt", merges);
    return folder_.path();
  }
  std::string error() const {
    return data_error([this] { Gpt2Bpe{write()}; });
  }

  nlohmann::json vocab;
  std::string vocab_text;  ///< instead of `vocab`
  std::string merges = "#version: 0.2\na b\nab c\n";

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("letters, numbers and white space are those of Unicode 16", "[text]") {
  const auto classes = text_vectors("gpt2_bpe_classes.json");
  if (!classes) return;
  std::vector<CharClass> expected(0x110000, CharClass::kOther);
  for (const auto& [key, kind] :
       {std::pair{"L", CharClass::kLetter}, {"N", CharClass::kNumber}, {"White_Space", CharClass::kSpace}})
    for (const auto& range : classes->at(key))
      std::fill(expected.begin() + range[0], expected.begin() + range[1] + 1, kind);
  int differing = 0;
  for (char32_t code_point = 0; code_point < 0x110000; ++code_point)
    differing += class_of(code_point) != expected[code_point];
  CHECK(differing == 0);
}

TEST_CASE("the scanner cuts random text as the pattern does", "[text]") {
  const Pattern pattern;
  // Characters that PCRE2 of any age puts in the same class (not U+180E), the pattern's own among them many times.
  const std::u32string alphabet =
      U"''''stremvld     \n\t\r\f\u00A0\u2003\u3000\u0085\u200B\uFEFF\x1C"
      U"aBz09\u00E9\u00DF\u0416\u4E2D\u0661\u00BD\u2167_-.!\u0301\U0001F600\U00010400";
  CounterRng rng(1, sst::Stream::kData);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (uint64_t left = 1 + rng.below(12); left > 0; --left) append_utf8(alphabet[rng.below(alphabet.size())], text);
    INFO(text);
    REQUIRE(piece_lengths(text) == pattern.piece_lengths(text));
  }
}

TEST_CASE("passes and heap merge as the rule says, also where a later rank comes first", "[text]") {
  CounterRng rng(2, sst::Stream::kData);
  for (int table = 0; table < 200; ++table) {
    // Any pair may merge to any symbol, so that merging can make pairs of lower rank than its own.
    Merges merges(40);
    std::vector<uint32_t> ranks(40);
    for (uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
    std::shuffle(ranks.begin(), ranks.end(), std::mt19937(static_cast<uint32_t>(table)));
    for (const uint32_t rank : ranks) {
      const auto symbol = [&](uint64_t most) { return static_cast<int32_t>(rng.below(most)); };
      const int32_t left = symbol(8), right = symbol(8);
      merges.add(left, right, {rank, std::max(left, right) + 1 + symbol(3)});
    }
    for (const size_t count : {0u, 1u, 2u, 3u, 20u, 63u, 64u, 65u, 300u}) {
      Ids ids(count);
      for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(3));
      Ids ours = ids;
      merges.apply(ours);
      REQUIRE(ours == merge_plainly(ids, merges));
    }
  }
}

TEST_CASE("every published GPT-2 and OPT vector comes out", "[text]") {
  const auto vectors = text_vectors("gpt2_bpe_vectors.json");
  const auto gpt2_folder = shared_file("data/tokenizers/gpt2"), opt_folder = shared_file("data/tokenizers/opt");
  if (!vectors || !gpt2_folder || !opt_folder) return;
  const Gpt2Bpe gpt2(*gpt2_folder), opt(*opt_folder);
  CHECK(gpt2.size() == 50257);
  CHECK(opt.size() == 50265);
  CHECK(gpt2.separator() == 50256);
  CHECK(opt.separator() == 2);
  CHECK(gpt2.sha256() != opt.sha256());

  for (const auto& entry : vectors->at("encode")) {
    INFO(entry.at("name"));
    const std::string text = from_hex(entry.at("utf8_hex"));
    CHECK(piece_lengths(text) == entry.at("pretoken_bytes").get<std::vector<size_t>>());
    CHECK(encoded(gpt2, text) == entry.at("ids").get<Ids>());
    CHECK(encoded(gpt2, text) == entry.at("ids").get<Ids>());  // from the cache
    CHECK(encoded(opt, text) == entry.at("opt_ids").get<Ids>());
    CHECK(gpt2.decode(entry.at("ids").get<Ids>()) == text);
    CHECK(opt.decode(entry.at("opt_ids").get<Ids>()) == text);
  }
  for (const auto& entry : vectors->at("encode_bytes")) {
    INFO(entry.at("name"));
    const std::string bytes = from_hex(entry.at("bytes_hex"));
    CHECK_THAT(data_error([&] { encoded(gpt2, bytes); }), ContainsSubstring("not UTF-8"));
    CHECK(encoded(gpt2, replace_malformed(bytes)) == entry.at("ids").get<Ids>());
    CHECK(encoded(opt, replace_malformed(bytes)) == entry.at("opt_ids").get<Ids>());
  }
  for (const auto& entry : vectors->at("decode")) {
    INFO(entry.at("name"));
    CHECK(gpt2.decode(entry.at("ids").get<Ids>()) == from_hex(entry.at("bytes_hex")));
  }
  for (const auto& entry : vectors->at("encode_special")) {
    INFO(entry.at("name"));
    Ids ids;
    gpt2.encode_with_separators(from_hex(entry.at("utf8_hex")), ids);
    CHECK(ids == entry.at("ids").get<Ids>());
  }
}

TEST_CASE("a run of 100,000 equal characters is one piece and no trouble", "[text]") {
  const SmallModel model;
  const Gpt2Bpe tokenizer(model.write());
  const std::string letters(100000, 'b');
  CHECK(encoded(tokenizer, letters).size() == letters.size());
  std::string pairs;
  for (int i = 0; i < 50000; ++i) pairs += "ab";
  CHECK(encoded(tokenizer, pairs).size() == 50000);
  CHECK(tokenizer.decode(encoded(tokenizer, pairs)) == pairs);
}

TEST_CASE("threads that share a tokenizer get what one thread gets", "[text]") {
  const SmallModel model;
  const Gpt2Bpe tokenizer(model.write());
  std::string text;
  CounterRng rng(3, sst::Stream::kData);
  for (int i = 0; i < 20000; ++i) text += "abc  \n"[rng.below(6)];
  const Ids expected = encoded(tokenizer, text);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { tokenizer.encode(text, result); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) CHECK(result == expected);
}

TEST_CASE("ids out of range are refused when they are decoded", "[text]") {
  const SmallModel model;
  const Gpt2Bpe tokenizer(model.write());
  CHECK(tokenizer.decode(Ids{256, 257, 258}) == "ababc<|endoftext|>");
  for (const int32_t id : {-1, 259}) CHECK_THROWS_AS(tokenizer.decode(Ids{id}), sst::DataError);
}

TEST_CASE("a bad vocabulary is refused with file and place", "[text]") {
  SmallModel model;
  CHECK_THAT(data_error([] { Gpt2Bpe{"/nowhere"}; }), ContainsSubstring("/nowhere/vocab.json"));
  SECTION("a hole") { model.vocab["abc"] = 259; }
  SECTION("a negative id") { model.vocab["abc"] = -1; }
  SECTION("a huge id") { model.vocab["abc"] = 9223372036854775808u; }
  SECTION("no number") { model.vocab["abc"] = "257"; }
  SECTION("an id twice") { model.vocab["abc"] = 256; }
  SECTION("a fraction") { model.vocab["abc"] = 1.5; }
  const std::string error = model.error();
  if (model.vocab["abc"] == 257) return;  // the run without a section
  CHECK_THAT(error, ContainsSubstring("vocab.json: token"));
  CHECK_THAT(error, ContainsSubstring("abc"));
}

TEST_CASE("JSON that is none is refused with its line and column", "[text]") {
  SmallModel model;
  model.vocab_text = "{\n\"a\": 0,\n\"b\" 1}";
  CHECK_THAT(model.error(), ContainsSubstring("vocab.json:3:5: this is not JSON"));
  model.vocab_text = "{\"a\": \"\xFF\"}";
  CHECK_THAT(model.error(), ContainsSubstring("vocab.json:1:"));
  model.vocab_text = "[1]";
  CHECK_THAT(model.error(), ContainsSubstring("expected one object"));
  model.vocab_text = "{}";
  CHECK_THAT(model.error(), ContainsSubstring("byte 0 has no token"));
  model.vocab_text = "";
  model.vocab.erase("a");
  model.vocab["abc!"] = 97;
  CHECK_THAT(model.error(), ContainsSubstring("byte 97 has no token; it is spelt 'a'"));
}

TEST_CASE("a bad merge is refused with file and line", "[text]") {
  SmallModel model;
  const auto error_of = [&](const std::string& line) {
    model.merges = "#version: 0.2\na b\n" + line + "\nab c\n";
    return model.error();
  };
  for (const std::string line : {"", "ab", "a b c", " b", "a ", " ", "a  b"}) {
    INFO(line);
    CHECK_THAT(error_of(line), ContainsSubstring("merges.txt:3: expected two tokens with one space between"));
  }
  CHECK_THAT(error_of("xx b"), ContainsSubstring("merges.txt:3: token 'xx' is not in"));
  CHECK_THAT(error_of("b c"), ContainsSubstring("merges.txt:3: token 'bc' is not in"));
  CHECK_THAT(error_of("a b"), ContainsSubstring("merges.txt:3: the pair 'a b' stands on an earlier line too"));
}

TEST_CASE("merges may end their lines as Windows does and leave out the version", "[text]") {
  SmallModel model;
  model.merges = "a b\r\nab c\r\n";
  const Gpt2Bpe tokenizer(model.write());
  CHECK(encoded(tokenizer, "abc ab") == Ids{257, 32, 256});
}
