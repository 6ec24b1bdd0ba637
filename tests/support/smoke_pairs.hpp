#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace sst::testing {

/// Writes data/smoke/{train,valid,test}.{src,tgt} below `root`: sentences of two to six of twelve words, and their translation,
/// the same words in another language and in reverse order.
inline void write_smoke_pairs(const std::filesystem::path& root) {
  std::filesystem::create_directories(root / "data/smoke");
  std::mt19937 generator(3);
  const auto write = [&](const std::string& split, int count) {
    std::ofstream source(root / "data/smoke" / (split + ".src")), target(root / "data/smoke" / (split + ".tgt"));
    for (int i = 0; i < count; ++i) {
      const int words = 2 + static_cast<int>(generator() % 5);
      std::string read, written;
      for (int word = 0; word < words; ++word) {
        const std::string letter(1, static_cast<char>('a' + generator() % 12));
        read += (word > 0 ? " " : "") + letter;
        written = letter + letter + (word > 0 ? " " : "") + written;
      }
      source << read << "\n";
      target << written << "\n";
    }
  };
  write("train", 300);
  write("valid", 20);
  write("test", 20);
}

}  // namespace sst::testing
