#pragma once

#include <torch/types.h>

#include <filesystem>

namespace sst::data {

/// Reads one array in NumPy's own format, versions 1 and 2: little-endian float32, float64, int32 or int64, C
/// order, no pickled objects.
///   returns   a tensor of the stored type and shape that owns its memory
///   throws    DataError with path and reason, also when the file is longer or shorter than its header says
///   source    numpy.lib.format, "Format Specification"
torch::Tensor read_npy(const std::filesystem::path& path);

}  // namespace sst::data
