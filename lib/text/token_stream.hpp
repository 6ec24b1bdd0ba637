#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/token_file.hpp"

namespace sst::text {

/// Token files one after the other as one sequence of ids.
class TokenStream {
 public:
  explicit TokenStream(std::vector<TokenFile> files);

  int64_t size() const { return starts_.back(); }  ///< tokens
  /// Copies the tokens first, first + 1, … into `out`; first + out.size() ≤ size().
  void copy(int64_t first, std::span<int64_t> out) const;
  /// The place of the first `token` at or after `from`; size() when there is none.
  int64_t find(int64_t token, int64_t from) const;
  /// "'FILE', token 17", for messages.
  std::string where(int64_t place) const;
  /// SHA-256 over sizes, types and blocks spread evenly over the files: tells other data without reading them all.
  std::string fingerprint() const;

 private:
  size_t file_of(int64_t place) const;

  std::vector<TokenFile> files_;
  std::vector<int64_t> starts_;  ///< of each file in the sequence, and the end
};

}  // namespace sst::text
