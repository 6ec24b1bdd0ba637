#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/seeds.hpp"

namespace sst::testing {

/// The bytes of an idx file of unsigned bytes.
inline std::string idx_bytes(const std::vector<uint32_t>& shape, const std::string& values) {
  std::string bytes = {'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const uint32_t size : shape)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 255);
  return bytes + values;
}

/// What recipes/smoke/image_*.yaml train on: data/smoke/{train,test}-{images,labels}, four classes of 6 x 6 pixels, each a
/// bright quadrant under noise.
inline void write_smoke_images(const std::filesystem::path& folder, uint32_t training_images = 90) {
  constexpr uint32_t kSide = 6, kClasses = 4;
  std::filesystem::create_directories(folder / "data/smoke");
  for (const auto& [name, count] : {std::pair{std::string("train"), training_images}, {std::string("test"), 40U}}) {
    CounterRng rng(7, Stream::kData, name_index(name));
    std::string images, labels;
    for (uint32_t i = 0; i < count; ++i) {
      const auto label = static_cast<uint32_t>(rng.below(kClasses));
      labels += static_cast<char>(label);
      for (uint32_t pixel = 0; pixel < kSide * kSide; ++pixel) {
        const uint32_t quadrant = pixel / kSide / (kSide / 2) * 2 + pixel % kSide / (kSide / 2);
        images += static_cast<char>(rng.below(150) + (quadrant == label ? 100 : 0));
      }
    }
    std::ofstream(folder / "data/smoke" / (name + "-images"), std::ios::binary)
        << idx_bytes({count, kSide, kSide}, images);
    std::ofstream(folder / "data/smoke" / (name + "-labels"), std::ios::binary) << idx_bytes({count}, labels);
  }
}

}  // namespace sst::testing
