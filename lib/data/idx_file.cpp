#include "data/idx_file.hpp"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "text/archive_source.hpp"

namespace sst::data {
namespace {

constexpr size_t kSizeBytes = 4;
constexpr unsigned kUnsignedBytes = 8;
/// Far beyond any data set of this format; keeps the product of the sizes within int64.
constexpr int64_t kMostValues = int64_t{1} << 36;

[[noreturn]] void fail_at_byte(const std::filesystem::path& path, size_t byte, const std::string& reason) {
  throw DataError(fmt::format("{}: byte {}: {}", path.string(), byte, reason),
                  "fetch the file again, or write it with  python3 data_tools/prepare_images.py");
}

unsigned byte_at(const std::string& bytes, size_t index) { return static_cast<unsigned char>(bytes[index]); }

int64_t big_endian(const std::string& bytes, size_t first) {
  int64_t value = 0;
  for (size_t i = 0; i < kSizeBytes; ++i) value = value * 256 + byte_at(bytes, first + i);
  return value;
}

}  // namespace

IdxFile read_idx(const std::filesystem::path& path, int64_t dimensions) {
  const std::string bytes = text::read_unpacked(path);
  const size_t header = kSizeBytes * static_cast<size_t>(1 + dimensions);
  if (bytes.size() < kSizeBytes || bytes[0] != 0 || bytes[1] != 0) fail_at_byte(path, 0, "this is no idx file");
  if (byte_at(bytes, 2) != kUnsignedBytes)
    fail_at_byte(path, 2,
                 fmt::format("type {:#04x}, but images and labels are unsigned bytes, 0x08", byte_at(bytes, 2)));
  if (byte_at(bytes, 3) != static_cast<unsigned>(dimensions))
    fail_at_byte(path, 3,
                 fmt::format("{} dimensions where {} are expected: {}", byte_at(bytes, 3), dimensions,
                             dimensions == 1 ? "labels have one" : "images have number, height and width"));
  if (bytes.size() < header) fail_at_byte(path, bytes.size(), "the file ends inside its header");
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (size_t at = kSizeBytes; at < header; at += kSizeBytes) {
    shape.push_back(big_endian(bytes, at));
    if (shape.back() == 0) fail_at_byte(path, at, "a size of zero");
    if (shape.back() > kMostValues / count) fail_at_byte(path, at, fmt::format("a size of {}", shape.back()));
    count *= shape.back();
  }
  const auto held = static_cast<int64_t>(bytes.size() - header);
  if (held != count)
    fail_at_byte(path, bytes.size(), fmt::format("{} values after the header, but its sizes ask for {}", held, count));
  IdxFile file{.values = torch::empty(shape, torch::kUInt8), .sha256 = sha256_hex(bytes)};
  std::memcpy(file.values.mutable_data_ptr<uint8_t>(), bytes.data() + header, static_cast<size_t>(count));
  return file;
}

}  // namespace sst::data
