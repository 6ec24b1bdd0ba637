#pragma once

#include <torch/types.h>

#include <initializer_list>
#include <string_view>

namespace sst::tensor {

inline constexpr int64_t kAny = -1;

/// Throws std::logic_error "attention input is [2, 3], expected [*, *, 64]" unless `x` has that shape.
void check_shape(const torch::Tensor& x, std::initializer_list<int64_t> expected, std::string_view what);

}  // namespace sst::tensor
