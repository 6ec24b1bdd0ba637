#include "text/token_file.hpp"

#include <algorithm>
#include <vector>

#include "tests/fuzz/target.hpp"

/// Token shards of both layouts, and multiple-choice files.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = sst::fuzz::file_of(sst::fuzz::text_of(data, size), "tokens.bin");
  sst::fuzz::expect_refusal_or_sense([&] {
    const sst::text::TokenFile file(path);
    std::vector<int64_t> tokens(static_cast<size_t>(std::min<int64_t>(file.size(), 1000)));
    file.copy(file.size() - static_cast<int64_t>(tokens.size()), tokens);
    file.find(7, 0);
  });
  sst::fuzz::expect_refusal_or_sense([&] { sst::text::read_choice_file(path); });
  return 0;
}
