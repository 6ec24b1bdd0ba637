#include "tensor/shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"

namespace sst::tensor {

void check_shape(const torch::Tensor& x, std::initializer_list<int64_t> expected, std::string_view what) {
  bool fits = x.dim() == static_cast<int64_t>(expected.size());
  for (size_t i = 0; fits && i < expected.size(); ++i)
    fits = expected.begin()[i] == kAny || expected.begin()[i] == x.size(static_cast<int64_t>(i));
  if (fits) return;
  std::vector<std::string> words;
  for (const int64_t size : expected) words.push_back(size == kAny ? "*" : std::to_string(size));
  require(false, fmt::format("{} is [{}], expected [{}]", what, fmt::join(x.sizes(), ", "), fmt::join(words, ", ")));
}

}  // namespace sst::tensor
