#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

namespace sst::testing {

/// What recipes/smoke/lm_*.yaml train on: data/smoke/{train,valid}.txt of made words, with `odd` put into the middle of
/// the training text.
inline void write_smoke_texts(const std::filesystem::path& folder, const std::string& odd = "") {
  std::filesystem::create_directories(folder / "data/smoke");
  const char* words[] = {"ba ", "lo ", "ni ", "do ", "mu ", "\n"};
  for (const auto& [name, count, start] : {std::tuple{"train.txt", 800, 1}, {"valid.txt", 120, 5}}) {
    std::ofstream file(folder / "data/smoke" / name);
    unsigned state = static_cast<unsigned>(start);
    for (int i = 0; i < count; ++i) {
      if (i == 400) file << odd;
      file << words[(state = state * 1103515245U + 12345U) / 65536U % 6];
    }
  }
}

}  // namespace sst::testing
