#pragma once

#include <torch/types.h>

namespace sst::tensor {

/// Says that the tensor's memory has changed, as an operation in place would: autograd and whoever keeps a copy of the
/// tensor go by it.
inline void mark_changed(const torch::Tensor& tensor) { tensor.unsafeGetTensorImpl()->bump_version(); }

}  // namespace sst::tensor
