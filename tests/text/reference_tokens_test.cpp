// The token files that data/lm/README.md of the shared folder prints the sums of: little-endian uint16, without a
// header unless a case says otherwise.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/compressed_file.hpp"
#include "tests/text/text_vectors.hpp"
#include "text/characters.hpp"
#include "text/gpt2_bpe.hpp"

using namespace sst::text;
using namespace sst::testing;

namespace {

struct Reference {
  std::string name, sha256;
  size_t tokens;
};

std::string as_bytes(const Ids& ids) {
  std::string bytes;
  bytes.reserve(2 * ids.size());
  for (const int32_t id : ids) {
    bytes += static_cast<char>(static_cast<unsigned char>(id & 0xFF));
    bytes += static_cast<char>(static_cast<unsigned char>(id >> 8));
  }
  return bytes;
}

std::string sum_of(const Ids& ids) { return sst::sha256_hex(as_bytes(ids)); }

/// llm.c's header.
std::string header(size_t tokens) {
  std::string bytes(1024, '\0');
  const auto put = [&](size_t word, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) bytes[4 * word + i] = static_cast<char>(static_cast<unsigned char>(value >> 8 * i));
  };
  put(0, 20240520);
  put(1, 1);
  put(2, static_cast<uint32_t>(tokens));
  return bytes;
}

std::vector<std::string> documents(const std::string& name, const std::string& text) {
  std::vector<std::string> found;
  const bool is_jsonl = name.find("openwebtext") == 0, is_novels = name.find("english_novels") == 0;
  if (!is_jsonl && !is_novels) return {text};
  const std::string separator = is_jsonl ? "\n" : "\n<|endoftext|>\n";
  for (size_t start = 0, end = 0; start < text.size(); start = end + separator.size()) {
    end = text.find(separator, start);
    const std::string part = text.substr(start, end - start);
    found.push_back(is_jsonl ? nlohmann::json::parse(part).at("text").get<std::string>() : part);
  }
  return found;
}

}  // namespace

TEST_CASE("the eight corpora give the reference token files", "[text][slow]") {
  const auto folder = shared_file("data/tokenizers/gpt2");
  if (!folder) return;
  const Gpt2Bpe tokenizer(*folder);
  const int32_t separator = *tokenizer.separator();
  const Reference references[] = {
      {"openwebtext_sample_train.jsonl", "3db6812cf36e358bf84dc2f321e0dfd4f3d12be11062968adde240669fbe0183", 760924},
      {"openwebtext_sample_val.jsonl", "6d1b02969cb7f537f2977fa42babdf39db68524c393b4d56a0da5c54eec99a87", 48181},
      {"english_novels_train.txt", "222ee72ad13a7a2c2146dd088c3bd9cbde052739c544d5d3ef237be2871b75f1", 16694678},
      {"english_novels_val.txt", "71df80fb1dfcb228f8fccfb48565056bb4b06e05f6e6aad43415948b92764aae", 395804},
      {"wikitext2_raw_train.txt", "49281638d23baa8054bb8751834b31fe38ee0452f5e91ec024e1f1c7b38c5f83", 2417787},
      {"wikitext2_raw_valid.txt", "0f3be5a918b9d399ddc66698f2a3a41007afd8c622622137ae9f4c1b95144bce", 249888},
      {"wikitext2_raw_test.txt", "d3504d7663cf148531703dcb90a1bffe105aeaad37695987bd78f0b4d400bc1f", 286222},
      {"tinyshakespeare.txt", "92b081e7f2663ae56d15ea0159b887416f96d2f524d43736c1719e456bc23eaa", 338026},
  };
  for (const Reference& reference : references) {
    const auto path = shared_file("data/lm/" + reference.name + ".xz");
    if (!path) continue;
    INFO(reference.name);
    Ids ids;
    for (const std::string& document : documents(reference.name, decompressed(*path))) {
      tokenizer.encode(document, ids);
      ids.push_back(separator);
    }
    CHECK(ids.size() == reference.tokens);
    CHECK(sum_of(ids) == reference.sha256);
    if (reference.name != "openwebtext_sample_val.jsonl") continue;
    // As one file of llm.c, where the separator stands before each document.
    std::rotate(ids.begin(), ids.end() - 1, ids.end());
    CHECK(sst::sha256_hex(header(ids.size()) + as_bytes(ids)) ==
          "13f73d5e14694a41d7b0b67a08db283d65e1a1dbb46f143c48a2c11db15f903c");
  }
}

TEST_CASE("tinyshakespeare comes out in nanoGPT's and llm.c's layouts", "[text][slow]") {
  const auto folder = shared_file("data/tokenizers/gpt2"), path = shared_file("data/lm/tinyshakespeare.txt.xz");
  if (!folder || !path) return;
  const Gpt2Bpe tokenizer(*folder);
  const std::string text = decompressed(*path);
  const std::string_view train = std::string_view(text).substr(0, text.size() * 9 / 10);
  const std::string_view val = std::string_view(text).substr(train.size());
  CHECK(sum_of(encoded(tokenizer, train)) == "502a2bdc8210d1ac5d5674867cb74467dd31db575d25cf6dbb08c8bdbea8680f");
  CHECK(sum_of(encoded(tokenizer, val)) == "68a53422394c26a655ebe641f5c6f49888e8f4e45fe5d6f02abda63ba3ebd65b");

  std::set<char32_t> seen;
  collect_characters(text, seen);
  const Characters characters(seen);
  CHECK(characters.size() == 65);
  CHECK(sum_of(encoded(characters, train)) == "6ec305602a99ac2802745a134e1f5e33e2231b4855525b00b9aebb730ac2626f");
  CHECK(sum_of(encoded(characters, val)) == "d37d30cc0c8327c270d493299c3dca54135f6d5f1c9ef60cda78076e311204b1");

  Ids sections;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find("\n\n", start), text.size());
    const size_t next = std::min(end + 2, text.size());
    sections.push_back(*tokenizer.separator());
    tokenizer.encode(std::string_view(text).substr(start, next - start), sections);
    start = next;
  }
  const Ids llmc_val(sections.begin(), sections.begin() + 32768), llmc_train(sections.begin() + 32768, sections.end());
  CHECK(sst::sha256_hex(header(llmc_val.size()) + as_bytes(llmc_val)) ==
        "fe99db720dc7c83e694806d4e047a952909411da1daccde4ccc2e55f40882a62");
  CHECK(sst::sha256_hex(header(llmc_train.size()) + as_bytes(llmc_train)) ==
        "8a70606be574040c26d225694f5f9759973b419852d22f7fe5c118e1b359dcc8");
}
