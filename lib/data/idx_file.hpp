#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace sst::data {

/// What an idx file holds, and what tells it from another.
struct IdxFile {
  torch::Tensor values;  ///< uint8, of the shape that the file states
  std::string sha256;    ///< of the unpacked bytes
};

/// Reads a file of MNIST's format, plain or packed by gzip, xz or zstd: two zero bytes, the type (08, unsigned bytes),
/// the number of dimensions, one big-endian 32-bit size for each, then the values, the last dimension fastest.
///   throws    DataError with file and byte: another type or number of dimensions, sizes of zero, a file that is shorter
///             or longer than its sizes say
IdxFile read_idx(const std::filesystem::path& path, int64_t dimensions);

}  // namespace sst::data
