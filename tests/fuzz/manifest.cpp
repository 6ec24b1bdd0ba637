#include "checkpoint/checkpoint.hpp"
#include "tests/fuzz/target.hpp"
#include "text/token_manifest.hpp"

/// Both manifests: of a checkpoint, and of a folder of token shards.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = sst::fuzz::text_of(data, size);
  sst::fuzz::file_of(text, "MANIFEST.json");
  sst::fuzz::file_of(text, "manifest.json");
  sst::fuzz::expect_refusal_or_sense([] { sst::checkpoint::read_note(sst::fuzz::folder()); });
  sst::fuzz::expect_refusal_or_sense([] { sst::checkpoint::load(sst::fuzz::folder()); });
  sst::fuzz::expect_refusal_or_sense([] { sst::text::read_token_manifest(sst::fuzz::folder()); });
  return 0;
}
