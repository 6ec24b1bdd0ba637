#include "tests/fuzz/target.hpp"
#include "text/characters.hpp"
#include "text/gpt2_files.hpp"
#include "text/sentencepiece.hpp"
#include "text/whitespace.hpp"

namespace {

constexpr const char* kText = "some text";

/// Reads one file and puts a text through what it says; a vocabulary of a few words may refuse the text.
template <class Tokenizer>
void read_and_use(const std::filesystem::path& path) {
  sst::fuzz::expect_refusal_or_sense([&] {
    const Tokenizer tokenizer(path);
    std::vector<int32_t> ids = {static_cast<int32_t>(tokenizer.size()) - 1};
    tokenizer.decode(ids);
    tokenizer.encode(kText, ids);
    tokenizer.decode(ids);
  });
}

void read_gpt2(std::string_view text) {
  const size_t end = std::min(text.find('\0'), text.size());
  sst::fuzz::expect_refusal_or_sense([&] {
    const auto vocabulary = sst::text::parse_gpt2_vocabulary("vocab.json", std::string(text.substr(0, end)));
    sst::text::parse_gpt2_merges("merges.txt", std::string(text.substr(std::min(end + 1, text.size()))), vocabulary);
  });
}

}  // namespace

/// Files of tokenizers. The first byte says which: s, SentencePiece's; c, characters; w, words; else GPT-2's (vocab.json and
/// merges.txt behind each other, a zero byte between them).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto text = sst::fuzz::text_of(data + 1, size - 1);
  switch (data[0]) {
    case 's':
      read_and_use<sst::text::SentencePiece>(sst::fuzz::file_of(text, "spiece.model"));
      break;
    case 'c':
      read_and_use<sst::text::Characters>(sst::fuzz::file_of(text, "characters.json"));
      break;
    case 'w':
      read_and_use<sst::text::Whitespace>(sst::fuzz::file_of(text, "words.txt"));
      break;
    default:
      read_gpt2(text);
  }
  return 0;
}
