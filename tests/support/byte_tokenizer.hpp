#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "text/tokenizer.hpp"

namespace sst::testing {

/// One id per byte and 256 between documents. `name` stands for what a trained tokenizer learnt; text with a NUL byte
/// cannot be expressed.
class ByteTokenizer : public text::Tokenizer {
 public:
  explicit ByteTokenizer(std::string name = "bytes", int64_t size = 257) : name_(std::move(name)), size_(size) {}

  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    for (const char c : text) {
      if (c == 0) throw DataError("the vocabulary has no NUL");
      ids.push_back(static_cast<unsigned char>(c));
    }
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) text += id == 256 ? '|' : static_cast<char>(id);
    return text;
  }
  int64_t size() const override { return size_; }
  std::optional<int32_t> separator() const override { return 256; }
  std::string sha256() const override { return "sha256-of-" + name_; }

 private:
  std::string name_;
  int64_t size_;
};

}  // namespace sst::testing
