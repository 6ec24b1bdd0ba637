#include "data/idx_file.hpp"
#include "data/npy.hpp"
#include "tests/fuzz/target.hpp"

/// The binary arrays of graphs and images.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = sst::fuzz::text_of(data, size);
  const auto npy = sst::fuzz::file_of(text, "array.npy"), idx = sst::fuzz::file_of(text, "images-idx3-ubyte");
  sst::fuzz::expect_refusal_or_sense([&] { sst::data::read_npy(npy); });
  sst::fuzz::expect_refusal_or_sense([&] { sst::data::read_idx(idx, 3); });
  return 0;
}
