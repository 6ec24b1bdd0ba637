#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.hpp"

namespace sst::text {

/// A byte is its own id, 0 to 255; 256 separates documents and stands for nothing in a text.
class Bytes final : public Tokenizer {
 public:
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  std::string decode(std::span<const int32_t> ids) const override;

  int64_t size() const override { return kSeparator + 1; }
  std::optional<int32_t> separator() const override { return kSeparator; }
  std::string sha256() const override;

 private:
  static constexpr int32_t kSeparator = 256;
};

}  // namespace sst::text
