#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/file.hpp"

/// Tensors in a file that cannot run code: 8 bytes of header length N, N bytes of JSON, raw little-endian
/// data. The reader enforces every rule of the format, so that a file means one thing or is refused: the JSON
/// is UTF-8, an object, without duplicate keys and at most 100,000,000 bytes; dtypes are known; offsets agree
/// with shape and dtype and cover the data exactly, without overlap, hole or trailing bytes.
///   source  github.com/huggingface/safetensors, README "Format"
namespace sst::tensor {

using NamedTensors = std::map<std::string, torch::Tensor>;
using SafetensorsMetadata = std::map<std::string, std::string>;

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  ///< as the format spells it: "F32", "BF16", …
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  ///< bytes from the start of the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  ///< in the order of their data
  SafetensorsMetadata metadata;
  uint64_t data_start = 0;  ///< bytes from the start of the file
};

struct SafetensorsFile {
  NamedTensors tensors;  ///< on the CPU, contiguous, owning their memory
  SafetensorsMetadata metadata;
};

/// The table of contents, checked in full; no tensor is read.
///   throws  CheckpointError naming file, tensor and reason; for .pt, .bin, .ckpt, .npz and their kin with
///   the way to
///           convert them in the hint
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

/// Every tensor of the file. `sha256`, where given, takes the sum of all its bytes, computed while they are read.
///   throws  as above; also for the sub-byte types F4, F6_* that have no tensor type here, and for a BOOL
///   that is
///           neither 0 nor 1
SafetensorsFile read_safetensors(const std::filesystem::path& path, std::string* sha256 = nullptr);

/// Writes and flushes to disk. Tensors are laid out by falling element size, then by name; the header is
/// padded with spaces to a multiple of 8, so that the data can be mapped; `"format": "pt"` is added to the
/// metadata.
///   tensors  dense, of any device; names are UTF-8 and not "__metadata__"
///   returns  size and SHA-256 of the file
///   throws   ResourceError when the disk does not take it
FileDigest write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                             SafetensorsMetadata metadata = {});

/// Throws CheckpointError with the way to convert when the name or the first bytes of `path` are those of a
/// pickle or NumPy archive, which this program never reads. A file that is not there passes.
void refuse_other_formats(const std::filesystem::path& path);

}  // namespace sst::tensor
