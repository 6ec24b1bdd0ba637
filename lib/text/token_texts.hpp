#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sst::text {

/// The bytes that each id stands for, in one block.
class TokenTexts {
 public:
  /// The next id's.
  void add(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  /// Throws DataError when there is no such id.
  std::string_view at(int32_t id) const;

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

/// Throws DataError unless 0 ≤ id < size.
void require_id(int32_t id, int64_t size);

}  // namespace sst::text
