#include "tests/fuzz/target.hpp"
#include "text/gpt2_files.hpp"
#include "text/sentencepiece.hpp"
#include "text/vocabulary_file.hpp"

/// Files of tokenizers. The first byte says which: GPT-2's (vocab.json and merges.txt behind each other, a zero byte between
/// them) or SentencePiece's.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto text = sst::fuzz::text_of(data + 1, size - 1);
  if (data[0] == 's') {
    const auto path = sst::fuzz::file_of(text, "spiece.model");
    sst::fuzz::expect_refusal_or_sense([&] {
      const sst::text::SentencePiece pieces(path);
      std::vector<int32_t> ids;
      pieces.encode("some text", ids);
      pieces.decode(ids);
    });
    return 0;
  }
  const size_t end = std::min(text.find('\0'), text.size());
  sst::fuzz::expect_refusal_or_sense([&] {
    const auto vocabulary = sst::text::parse_gpt2_vocabulary("vocab.json", std::string(text.substr(0, end)));
    sst::text::parse_gpt2_merges("merges.txt", std::string(text.substr(std::min(end + 1, text.size()))), vocabulary);
  });
  return 0;
}
