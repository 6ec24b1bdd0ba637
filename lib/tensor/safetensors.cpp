#include "tensor/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace sst::tensor {
namespace {

struct DtypeName {
  const char* name;
  torch::ScalarType type;
};

constexpr DtypeName kDtypes[] = {
    {"F64", torch::kFloat64},
    {"F32", torch::kFloat32},
    {"F16", torch::kFloat16},
    {"BF16", torch::kBFloat16},
    {"I64", torch::kInt64},
    {"I32", torch::kInt32},
    {"I16", torch::kInt16},
    {"I8", torch::kInt8},
    {"U8", torch::kUInt8},
    {"BOOL", torch::kBool},
    {"U64", torch::kUInt64},
    {"U32", torch::kUInt32},
    {"U16", torch::kUInt16},
    {"C64", torch::kComplexFloat},
    {"F8_E4M3", torch::ScalarType::Float8_e4m3fn},
    {"F8_E5M2", torch::ScalarType::Float8_e5m2},
    {"F8_E8M0", torch::ScalarType::Float8_e8m0fnu},
    {"F8_E4M3FNUZ", torch::ScalarType::Float8_e4m3fnuz},
    {"F8_E5M2FNUZ", torch::ScalarType::Float8_e5m2fnuz},
};

std::optional<torch::ScalarType> type_of(const std::string& dtype) {
  for (const auto& [name, type] : kDtypes)
    if (dtype == name) return type;
  return std::nullopt;
}

std::string dtype_of(const std::string& name, const torch::Tensor& tensor) {
  for (const auto& [dtype, type] : kDtypes)
    if (tensor.scalar_type() == type) return dtype;
  throw std::logic_error(
      fmt::format("tensor '{}' has type {}, which safetensors cannot hold", name, c10::toString(tensor.scalar_type())));
}

/// An uninitialised tensor for the entry. The data are in the file, so the size is known to be sane; what can
/// still be too much for LibTorch is the number of dimensions, or a stride of a tensor without elements.
torch::Tensor empty_for(const std::filesystem::path& path, const SafetensorsEntry& entry) {
  const auto refuse = [&](const std::string& reason) {
    throw CheckpointError(fmt::format("cannot read tensor '{}' of '{}': {}", entry.name, path.string(), reason));
  };
  const auto type = type_of(entry.dtype);
  if (!type) refuse("its type " + entry.dtype + " has no counterpart here");
  constexpr size_t kMostDimensions = 64;  // LibTorch's element-wise operations go no further
  if (entry.shape.size() > kMostDimensions)
    refuse(fmt::format("it has {} dimensions, more than {}", entry.shape.size(), kMostDimensions));
  int64_t stride = 16;
  for (const int64_t dimension : entry.shape)
    if (__builtin_mul_overflow(stride, std::max<int64_t>(dimension, 1), &stride)) refuse("its shape is too large");
  return torch::empty(entry.shape, *type);
}

void check_bools(const std::filesystem::path& path, const std::string& name, const torch::Tensor& tensor) {
  const auto* bytes = static_cast<const unsigned char*>(tensor.const_data_ptr());
  const auto* bad = std::find_if(bytes, bytes + tensor.numel(), [](unsigned char byte) { return byte > 1; });
  if (bad != bytes + tensor.numel())
    throw CheckpointError(fmt::format("cannot read tensor '{}' of '{}': element {} of type BOOL is {}", name,
                                      path.string(), bad - bytes, static_cast<int>(*bad)));
}

/// By several threads: one alone waits for the disk, then for its memory, then for the disk.
void read_together(const FileReader& reader, uint64_t position, std::span<char> into) {
  constexpr size_t kReaders = 4, kPiece = size_t{4} << 20;
  std::atomic<size_t> next = 0;
  const auto read_pieces = [&] {
    for (size_t at = next.fetch_add(kPiece); at < into.size(); at = next.fetch_add(kPiece))
      reader.read(position + at, into.subspan(at, std::min(kPiece, into.size() - at)));
  };
  std::vector<std::future<void>> others;
  for (size_t i = 1; i < kReaders && i * kPiece < into.size(); ++i) others.push_back(std::async(read_pieces));
  read_pieces();
  for (auto& other : others) other.get();
}

/// The format's header: metadata first, then the tensors in the order of their data.
std::string header_text(const std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                        const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  uint64_t position = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = position + tensor.nbytes();
    header[name] = {
        {"dtype", dtype_of(name, tensor)}, {"shape", tensor.sizes().vec()}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  require(text.size() <= kMaxHeaderBytes, "a safetensors header may not exceed 100,000,000 bytes");
  return text;
}

}  // namespace

SafetensorsFile read_safetensors(const std::filesystem::path& path, std::string* sha256) try {
  SafetensorsHeader header = read_safetensors_header(path);
  SafetensorsFile file{.tensors = {}, .metadata = std::move(header.metadata)};
  const FileReader reader(path);
  std::string start(header.data_start, '\0');
  reader.read(0, start);
  Sha256 digest;
  if (sha256 != nullptr) digest.update(start);
  std::future<void> hashed;  // one tensor, while the next one is read
  for (const SafetensorsEntry& entry : header.tensors) {
    const torch::Tensor tensor = empty_for(path, entry);
    const std::span<char> bytes(static_cast<char*>(tensor.mutable_data_ptr()), entry.end - entry.begin);
    read_together(reader, header.data_start + entry.begin, bytes);
    if (entry.dtype == "BOOL") check_bools(path, entry.name, tensor);
    file.tensors.emplace(entry.name, tensor);
    if (sha256 == nullptr) continue;
    if (hashed.valid()) hashed.get();
    hashed = std::async([&digest, bytes] { digest.update({bytes.data(), bytes.size()}); });
  }
  if (hashed.valid()) hashed.get();
  if (sha256 != nullptr) *sha256 = digest.hex();
  return file;
} catch (const DataError& unreadable) {
  throw CheckpointError(unreadable.what());
}

FileDigest write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                             SafetensorsMetadata metadata) {
  std::vector<std::pair<std::string, torch::Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    require(tensor.defined() && tensor.layout() == torch::kStrided && !tensor.is_quantized(),
            "tensor '" + name + "' is undefined or not dense");
    require(name != "__metadata__", "a tensor may not be called '__metadata__'");
    ordered.emplace_back(name, tensor.detach());
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
  metadata.emplace("format", "pt");
  const std::string header = header_text(ordered, metadata);
  const uint64_t length = header.size();

  SyncedFile file(path, SyncedFile::Cache::kPassedBy);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(header);
  for (const auto& [name, tensor] : ordered) {
    const torch::Tensor plain = tensor.cpu().resolve_conj().resolve_neg().contiguous();
    file.write({static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()});
  }
  return file.finish();
}

}  // namespace sst::tensor
