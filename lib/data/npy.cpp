#include "data/npy.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace sst::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMostHeader = 4096;  // NumPy's are 128 bytes; std::regex takes a frame of the stack for each byte
constexpr int64_t kMostElements = int64_t{1} << 40;  // keeps the product of the dimensions far from overflow

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
  throw DataError("cannot read '" + path.string() + "' as a NumPy array: " + reason,
                  "write it with numpy.save from a C-ordered float32, float64, int32 or int64 array");
}

/// The header's dictionary and where the data begin.
struct Layout {
  std::string dictionary;
  size_t data_start = 0;
};

Layout read_layout(const std::filesystem::path& path, std::string_view bytes) {
  if (bytes.size() < 10 || bytes.substr(0, kMagic.size()) != kMagic) fail(path, "it does not begin with \\x93NUMPY");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  const size_t version = byte(6);
  if ((version != 1 && version != 2) || byte(7) != 0)
    fail(path, "format version " + std::to_string(version) + "." + std::to_string(byte(7)) + " is not 1.0 or 2.0");
  const size_t header_start = version == 1 ? 10 : 12;
  if (bytes.size() < header_start) fail(path, "it ends inside its header");
  const size_t length =
      version == 1 ? byte(8) + (byte(9) << 8) : byte(8) + (byte(9) << 8) + (byte(10) << 16) + (byte(11) << 24);
  if (bytes.size() - header_start < length) fail(path, "it ends inside its header");
  if (length > kMostHeader) fail(path, "its header of " + std::to_string(length) + " bytes is too long");
  return {std::string(bytes.substr(header_start, length)), header_start + length};
}

std::vector<int64_t> parse_shape(const std::filesystem::path& path, const std::string& text) {
  std::vector<int64_t> shape;
  int64_t elements = 1;  // were no dimension zero: strides do not know better
  for (const std::string& part : split(text, ',')) {
    const std::string digits = trim(part);
    if (digits.empty()) continue;  // "(3,)" ends in a comma
    if (digits.size() > 12) fail(path, "dimension " + digits + " is too large");
    shape.push_back(std::stoll(digits));
    const int64_t factor = std::max<int64_t>(shape.back(), 1);
    if (elements > kMostElements / factor) fail(path, "shape (" + text + ") is too large");
    elements *= factor;
  }
  return shape;
}

}  // namespace

torch::Tensor read_npy(const std::filesystem::path& path) {
  static const std::map<std::string, torch::ScalarType> kTypes{
      {"<f4", torch::kFloat32}, {"<f8", torch::kFloat64}, {"<i4", torch::kInt32}, {"<i8", torch::kInt64}};
  // NumPy writes the three keys in this order (sorted) and asks writers to do the same.
  static const std::regex kDictionary(
      R"re(\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\),? *\} *\n?)re");

  const std::string bytes = read_file(path);
  const Layout layout = read_layout(path, bytes);
  std::smatch match;
  if (!std::regex_match(layout.dictionary, match, kDictionary))
    fail(path, "its header is not the three keys descr, fortran_order, shape");
  const auto type = kTypes.find(match[1]);
  if (type == kTypes.end()) fail(path, "element type '" + match[1].str() + "' is not one of <f4 <f8 <i4 <i8");
  if (match[2] == "True") fail(path, "it is in Fortran order");

  const auto shape = parse_shape(path, match[3]);
  const size_t stored = bytes.size() - layout.data_start;
  const size_t promised =
      static_cast<size_t>(c10::multiply_integers(shape)) * c10::elementSize(type->second);  // before it is allocated
  if (stored != promised)
    fail(path,
         "it holds " + std::to_string(stored) + " bytes of data, its header promises " + std::to_string(promised));

  torch::Tensor array = torch::empty(shape, type->second);
  if (stored > 0) std::memcpy(array.data_ptr(), bytes.data() + layout.data_start, stored);
  return array;
}

}  // namespace sst::data
