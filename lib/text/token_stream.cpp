#include "text/token_stream.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::text {

TokenStream::TokenStream(std::vector<TokenFile> files) : files_(std::move(files)), starts_{0} {
  for (const TokenFile& file : files_) starts_.push_back(starts_.back() + file.size());
}

size_t TokenStream::file_of(int64_t place) const {
  return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), place) - starts_.begin()) - 1;
}

void TokenStream::copy(int64_t first, std::span<int64_t> out) const {
  if (first < 0 || first + static_cast<int64_t>(out.size()) > size()) require(false, "TokenStream::copy: outside");
  for (size_t file = file_of(first); !out.empty(); ++file) {
    const auto part = std::min(static_cast<int64_t>(out.size()), starts_[file + 1] - first);
    files_[file].copy(first - starts_[file], out.first(static_cast<size_t>(part)));
    out = out.subspan(static_cast<size_t>(part));
    first += part;
  }
}

int64_t TokenStream::find(int64_t token, int64_t from) const {
  while (from < size()) {
    const size_t file = file_of(from);
    const int64_t found = files_[file].find(token, from - starts_[file]);
    if (found < files_[file].size()) return starts_[file] + found;
    from = starts_[file + 1];
  }
  return size();
}

std::string TokenStream::where(int64_t place) const {
  const size_t file = file_of(place);
  return fmt::format("'{}', token {}", files_[file].path().string(), place - starts_[file]);
}

std::string TokenStream::fingerprint() const {
  constexpr int64_t kBlocks = 256, kBlockTokens = 2048;
  Sha256 digest;
  std::vector<int64_t> block;
  for (const TokenFile& file : files_) {
    digest.update(fmt::format("{} {}\n", token_type_name(file.type()), file.size()));
    const int64_t last = std::max<int64_t>(0, file.size() - kBlockTokens);
    for (int64_t i = 0; i < kBlocks; ++i) {
      const int64_t first = last / (kBlocks - 1) * i + last % (kBlocks - 1) * i / (kBlocks - 1);  // i · last / 255
      block.resize(static_cast<size_t>(std::min(kBlockTokens, file.size())));
      file.copy(first, block);
      digest.update({reinterpret_cast<const char*>(block.data()), block.size() * sizeof(int64_t)});
      if (last == 0) break;
    }
  }
  return digest.hex();
}

}  // namespace sst::text
