#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.hpp"
#include "tensor/safetensors.hpp"

namespace sst::tensor {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian and read as they lie");

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason, const std::string& hint = {}) {
  throw CheckpointError("'" + path.string() + "' is not a sound safetensors file: " + reason, hint);
}

/// Bits per element, or nothing when the format has no such type.
std::optional<uint64_t> element_bits(const std::string& dtype) {
  static const std::map<std::string, uint64_t> kBits = {
      {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},        {"U8", 8},   {"I8", 8},
      {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"I16", 16}, {"U16", 16},
      {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},        {"F32", 32}, {"F64", 64},
      {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F8_E5M2FNUZ", 8}};
  const auto found = kBits.find(dtype);
  return found == kBits.end() ? std::nullopt : std::optional(found->second);
}

/// The header's bytes, with every length checked against the file before it is believed.
std::string read_header_text(const std::filesystem::path& path, uint64_t file_bytes) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw CheckpointError("cannot read '" + path.string() + "': " + std::strerror(errno));
  if (file_bytes < 8) refuse(path, fmt::format("it has {} bytes, fewer than the 8 of a header length", file_bytes));
  uint64_t length = 0;
  stream.read(reinterpret_cast<char*>(&length), sizeof length);
  if (length > kMaxHeaderBytes)
    refuse(path, fmt::format("its header claims {} bytes, more than the {} allowed", length, kMaxHeaderBytes));
  if (length > file_bytes - 8)
    refuse(path, fmt::format("its header claims {} bytes, but only {} follow", length, file_bytes - 8),
           "the file may be cut off: copy or download it again");
  std::string text(length, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(length));
  if (!stream) throw CheckpointError("cannot read '" + path.string() + "' to the end of its header");
  return text;
}

/// Parses JSON that may hold no key twice and nests no deeper than the format does.
json parse_header(const std::filesystem::path& path, const std::string& text) {
  if (text.empty() || text.front() != '{') refuse(path, "its header does not begin with '{'");
  if (text.find('\0') != std::string::npos) refuse(path, "its header holds a zero byte");
  constexpr int kDeepest = 3;  // the header, a tensor, its shape
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= kDeepest) refuse(path, "its header is nested too deeply");
      if (event == json::parse_event_t::object_start) keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!keys.back().insert(key).second) refuse(path, "its header names '" + key + "' twice");
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    refuse(path, std::string("its header is not valid JSON (") + error.what() + ")");
  }
}

SafetensorsMetadata parse_metadata(const std::filesystem::path& path, const json& entry) {
  if (!entry.is_object()) refuse(path, "'__metadata__' is not an object");
  SafetensorsMetadata metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) refuse(path, "the value of '" + key + "' in '__metadata__' is not a string");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// Product of shape and element size, in bits; nothing when it overflows 64 bits.
std::optional<uint64_t> size_in_bits(const SafetensorsEntry& entry, uint64_t bits) {
  for (const int64_t dimension : entry.shape)
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(dimension), &bits)) return std::nullopt;
  return bits;
}

SafetensorsEntry parse_entry(const std::filesystem::path& path, const std::string& name, const json& value) {
  const auto refuse_tensor = [&](const std::string& reason) { refuse(path, "tensor '" + name + "': " + reason); };
  if (!value.is_object()) refuse_tensor("its description is not an object");
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (!value.contains(key)) refuse_tensor(std::string("'") + key + "' is missing");
  SafetensorsEntry entry;
  entry.name = name;
  if (!value["dtype"].is_string()) refuse_tensor("'dtype' is not a string");
  entry.dtype = value["dtype"].get<std::string>();
  const auto bits = element_bits(entry.dtype);
  if (!bits) refuse_tensor("unknown dtype '" + entry.dtype + "'");

  if (!value["shape"].is_array()) refuse_tensor("'shape' is not a list");
  for (const json& dimension : value["shape"]) {
    if (!dimension.is_number_unsigned() || dimension.get<uint64_t>() > INT64_MAX)
      refuse_tensor("'shape' holds " + dimension.dump() + ", which is no size");
    entry.shape.push_back(dimension.get<int64_t>());
  }
  const json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    refuse_tensor("'data_offsets' is not a pair of byte positions");
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  if (entry.end < entry.begin)
    refuse_tensor(fmt::format("its data end at {}, before their start {}", entry.end, entry.begin));
  const auto size = size_in_bits(entry, *bits);
  if (!size) refuse_tensor("its shape has more elements than 64 bits can count");
  if (*size % 8 != 0 || *size / 8 != entry.end - entry.begin)
    refuse_tensor(fmt::format("{} of shape {} take {} bytes, but its data have {}", entry.dtype, value["shape"].dump(),
                              *size / 8, entry.end - entry.begin));
  return entry;
}

/// Sorted by place, the tensors must cover the data exactly.
void check_cover(const std::filesystem::path& path, const SafetensorsHeader& header, uint64_t data_bytes) {
  uint64_t position = 0;
  for (const SafetensorsEntry& entry : header.tensors) {
    if (entry.begin < position)
      refuse(path, fmt::format("tensor '{}' begins at byte {} inside the one before it", entry.name, entry.begin));
    if (entry.begin > position)
      refuse(path, fmt::format("{} unused bytes before tensor '{}'", entry.begin - position, entry.name));
    position = entry.end;
  }
  if (position > data_bytes)
    refuse(path, fmt::format("its tensors take {} bytes, but only {} are there", position, data_bytes),
           "the file may be cut off: copy or download it again");
  if (position < data_bytes) refuse(path, fmt::format("{} bytes after the last tensor", data_bytes - position));
}

struct OtherFormat {
  std::vector<std::string> extensions;
  std::string noun;
  std::string how;
};

const std::vector<OtherFormat>& other_formats() {
  static const std::vector<OtherFormat> kFormats = {
      {{".pt", ".pth", ".bin", ".ckpt", ".pkl"},
       "a Python pickle, which can run any code when it is opened",
       "convert it once, in Python: `import torch; from safetensors.torch import save_file; "
       "save_file(torch.load(\"{}\", weights_only=True), \"model.safetensors\")`"},
      {{".npz", ".npy"},
       "a NumPy file",
       "convert it once, in Python: `import numpy; from safetensors.numpy import save_file; "
       "save_file(dict(numpy.load(\"{}\", allow_pickle=False)), \"model.safetensors\")`"}};
  return kFormats;
}

}  // namespace

void refuse_other_formats(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const OtherFormat& format : other_formats())
    for (const std::string& theirs : format.extensions)
      if (extension == theirs)
        throw CheckpointError("'" + path.string() + "' is " + format.noun + "; only safetensors are read",
                              fmt::format(fmt::runtime(format.how), path.filename().string()));
  std::ifstream stream(path, std::ios::binary);
  std::array<char, 4> start{};
  stream.read(start.data(), start.size());
  if (stream && std::memcmp(start.data(), "PK\3\4", 4) == 0)
    throw CheckpointError("'" + path.string() + "' is a zip archive under another name; only safetensors are read",
                          "it may be a .pt file of PyTorch or a .npz file of NumPy: convert it with save_file of the "
                          "Python package safetensors");
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
  refuse_other_formats(path);
  std::error_code error;
  const uint64_t file_bytes = std::filesystem::file_size(path, error);
  if (error) throw CheckpointError("cannot read '" + path.string() + "': " + error.message());
  const std::string text = read_header_text(path, file_bytes);
  const json parsed = parse_header(path, text);

  SafetensorsHeader header;
  header.data_start = 8 + text.size();
  for (const auto& [name, value] : parsed.items()) {
    if (name == "__metadata__") {
      header.metadata = parse_metadata(path, value);
    } else {
      header.tensors.push_back(parse_entry(path, name, value));
    }
  }
  std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_cover(path, header, file_bytes - header.data_start);
  return header;
}

}  // namespace sst::tensor
