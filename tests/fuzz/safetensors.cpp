#include "tensor/safetensors.hpp"
#include "tests/fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = sst::fuzz::file_of(sst::fuzz::text_of(data, size), "model.safetensors");
  sst::fuzz::expect_refusal_or_sense([&] { sst::tensor::read_safetensors(path); });
  return 0;
}
