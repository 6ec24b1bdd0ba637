#include "text/corpus.hpp"

#include "tests/fuzz/target.hpp"
#include "text/line_reader.hpp"

namespace {

void read(const std::filesystem::path& path, sst::text::CorpusFormat format) {
  sst::fuzz::expect_refusal_or_sense([&] {
    const sst::text::CorpusOptions options{.format = format, .largest_document = int64_t{1} << 20};
    sst::text::CorpusReader reader({path}, options);
    for (sst::text::RawDocument document; reader.next(document);)
      sst::text::document_text(std::move(document), options);
  });
}

}  // namespace

/// Text and JSON lines, plain and as an archive (the first byte says what the name will end in).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const char* kEndings[] = {"txt", "jsonl", "txt.gz", "jsonl.zst", "txt.xz", "tar", "tar.gz"};
  const auto path = sst::fuzz::file_of(sst::fuzz::text_of(data + 1, size - 1),
                                       std::string("corpus.") + kEndings[data[0] % std::size(kEndings)]);
  read(path, sst::text::CorpusFormat::kText);
  read(path, sst::text::CorpusFormat::kJsonl);
  sst::fuzz::expect_refusal_or_sense([&] { sst::text::read_lines(path); });
  std::filesystem::remove(path);
  return 0;
}
