// Tokenizers on one thread, on the text that SST_BENCH_TEXT names: documents with the line <|endoftext|> between.
// SST_BENCH_GPT2 names a folder with vocab.json and merges.txt, SST_BENCH_SENTENCEPIECE a model; without them the lines
// say so. tokenizer_speed.py sets the first two and compares.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/bench/settings.hpp"
#include "text/gpt2_bpe.hpp"
#include "text/sentencepiece.hpp"

namespace sst::bench {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) throw DataError(std::string(name) + " is not set");
  return value;
}

/// Documents of a text, without the lines between.
std::vector<std::string_view> documents_of(std::string_view text) {
  constexpr std::string_view kBetween = "\n<|endoftext|>\n";
  std::vector<std::string_view> documents;
  while (!text.empty()) {
    const size_t end = std::min(text.find(kBetween), text.size());
    documents.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + kBetween.size(), text.size()));
  }
  return documents;
}

template <class Tokenizer>
void encode(benchmark::State& state, const char* model) {
  try {
    const Tokenizer tokenizer(from_environment(model));
    const std::string text = read_file(from_environment("SST_BENCH_TEXT"));
    const auto documents = documents_of(text);
    std::vector<int32_t> ids;
    for (auto _ : state) {
      for (const std::string_view document : documents) {
        ids.clear();
        tokenizer.encode(document, ids);
        benchmark::DoNotOptimize(ids.data());
      }
    }
    state.counters["bytes"] = static_cast<double>(text.size());
  } catch (const Error& failure) {
    state.SkipWithError(failure.what());
  }
}

void gpt2_bpe(benchmark::State& state) { encode<text::Gpt2Bpe>(state, "SST_BENCH_GPT2"); }
void sentencepiece(benchmark::State& state) { encode<text::SentencePiece>(state, "SST_BENCH_SENTENCEPIECE"); }

BENCHMARK(gpt2_bpe)->Name("encode/gpt2_bpe")->Apply(measured_briefly);
BENCHMARK(sentencepiece)->Name("encode/sentencepiece")->Apply(measured_briefly);

}  // namespace
}  // namespace sst::bench
