#include "data/graph_folder.hpp"

#include "tests/fuzz/target.hpp"
#include "tests/support/tiny_graph.hpp"

namespace {

using Files = std::map<std::string, std::string>;

/// A good folder, with a file of dense features besides, which counts where a meta.json names it.
Files good_files() {
  const sst::testing::TinyGraph graph;
  Files files = graph.files;
  files["features.npy"] = sst::testing::npy_bytes("<f4", "(4, 1)", sst::testing::bytes_of<float>({1, 2, 3, 4}));
  files["meta.json"] = graph.meta_json();
  for (const auto& [name, content] : files) sst::fuzz::file_of(content, name);
  return files;
}

}  // namespace

/// Folders of graphs. The input is pieces behind each other, and each replaces a file of a good folder: a byte that says
/// which in the order of their names, two for the length, lower byte first, and the content.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHead = 3;
  static const Files good = good_files();
  Files spoilt;
  for (size_t at = 0; at + kHead <= size;) {
    const size_t length = std::min<size_t>(data[at + 1] + 256U * data[at + 2], size - at - kHead);
    const auto& name = std::next(good.begin(), data[at] % static_cast<int>(good.size()))->first;
    spoilt[name] = sst::fuzz::text_of(data + at + kHead, length);
    at += kHead + length;
  }
  for (const auto& [name, content] : spoilt) sst::fuzz::file_of(content, name);
  sst::fuzz::expect_refusal_or_sense([] { sst::data::read_graph_folder(sst::fuzz::folder()); });
  for (const auto& [name, content] : spoilt) sst::fuzz::file_of(good.at(name), name);
  return 0;
}
