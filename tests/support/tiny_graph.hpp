#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/file.hpp"

namespace sst::testing {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

/// A NumPy array, its header not padded.
inline std::string npy_bytes(const std::string& type, const std::string& shape, const std::string& data) {
  const std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(text.size()) + '\0' + text + data;
}

/// A prepared graph of four nodes with five sparse features: its files but meta.json, and what that says of them.
struct TinyGraph {
  std::map<std::string, std::string> files = {
      {"edges.txt", "0 1\n1 1\n2 3\n"},
      {"labels.txt", "0\n1\n1\n0\n"},
      {"features_indptr.npy", npy_bytes("<i8", "(5,)", bytes_of<int64_t>({0, 2, 2, 3, 4}))},
      {"features_indices.npy", npy_bytes("<i4", "(4,)", bytes_of<int32_t>({0, 4, 2, 1}))},
      {"features_data.npy", npy_bytes("<f4", "(4,)", bytes_of<float>({1, 0.5, 2, 1}))},
      {"train_nodes.txt", "0\n"},
      {"valid_nodes.txt", "1\n"},
      {"test_nodes.txt", "2\n3\n"},
  };
  nlohmann::json meta = {{"format", "sst-graph"}, {"version", 1}, {"name", "cora"}, {"nodes", 4}, {"edges", 3},
                         {"features", 5},         {"classes", 2}};

  std::string meta_json() const {
    nlohmann::json complete = meta;
    complete["files"] = nlohmann::json::object();
    for (const auto& [name, content] : files) complete["files"][name] = sha256_hex(content);
    complete.merge_patch(meta);  // a "files" in `meta` wins
    return complete.dump();
  }
};

}  // namespace sst::testing
