#include "tensor/safetensors.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/error.hpp"
#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::tensor {
namespace {

using sst::testing::shared_file;
using sst::testing::TemporaryFolder;

void write_raw(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A file with this header and this many zero bytes of data.
std::string raw_file(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string reason_of_refusal(const std::filesystem::path& path) {
  try {
    read_safetensors(path);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

bool same_bits(const torch::Tensor& a, const torch::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         (a.nbytes() == 0 || std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0);
}

NamedTensors tensors_of_every_type() {
  const auto base = torch::arange(-3, 3, torch::kFloat64).view({2, 3}) / 3;
  return {{"weight", base.to(torch::kFloat32)},
          {"double", base},
          {"half", base.to(torch::kFloat16)},
          {"brain", base.to(torch::kBFloat16)},
          {"long", torch::arange(5, torch::kInt64) - 2},
          {"int", torch::arange(5, torch::kInt32)},
          {"short", torch::arange(3, torch::kInt16)},
          {"char", torch::arange(3, torch::kInt8)},
          {"byte", torch::arange(3, torch::kUInt8)},
          {"flag", torch::tensor({true, false, true})},
          {"complex", torch::complex(base.to(torch::kFloat32), base.to(torch::kFloat32))},
          {"scalar", torch::tensor(2.5f)},
          {"empty", torch::zeros({0, 3})},
          {"not finite", torch::tensor({double{NAN}, -double{INFINITY}, -0.0})},
          {"gewicht.ä/重み\t\"", torch::ones({1})}};
}

}  // namespace

TEST_CASE("every sample that the reference library reads is read to the same values", "[tensor][golden]") {
  const auto list = shared_file("spec/safetensors_samples/expected.json");
  if (!list) return;
  const auto expected =
      nlohmann::json::parse(std::regex_replace(read_file(*list), std::regex("\\b(Infinity|NaN)\\b"), "null"));
  for (const auto& sample : expected["accept"]) {
    const auto path = list->parent_path() / sample["file"].get<std::string>();
    CAPTURE(path.string());
    const SafetensorsFile file = read_safetensors(path);
    CHECK(file.metadata == sample["metadata"].get<SafetensorsMetadata>());
    REQUIRE(file.tensors.size() == sample["tensors"].size());
    const SafetensorsHeader header = read_safetensors_header(path);
    for (const auto& description : sample["tensors"]) {
      const auto name = description["name"].get<std::string>();
      CAPTURE(name);
      const torch::Tensor tensor = file.tensors.at(name);
      const auto entry = std::find_if(header.tensors.begin(), header.tensors.end(),
                                      [&](const auto& candidate) { return candidate.name == name; });
      REQUIRE(entry != header.tensors.end());
      CHECK(entry->dtype == description["dtype"].get<std::string>());
      CHECK(tensor.sizes().vec() == description["shape"].get<std::vector<int64_t>>());
      const torch::Tensor flat = tensor.flatten();
      REQUIRE(flat.numel() == static_cast<int64_t>(description["values"].size()));
      for (int64_t i = 0; i < flat.numel(); ++i) {
        const auto& value = description["values"][static_cast<size_t>(i)];
        if (value.is_null()) {
          CHECK(std::isinf(flat[i].item<double>()));
        } else if (value.is_number_integer()) {
          CHECK(flat[i].to(torch::kInt64).item<int64_t>() == value.get<int64_t>());
        } else {
          CHECK(flat[i].item<double>() == value.get<double>());
        }
      }
    }
  }
}

TEST_CASE("every sample that the reference library refuses is refused as a bad checkpoint", "[tensor][golden]") {
  const auto list = shared_file("spec/safetensors_samples/expected.json");
  if (!list) return;
  const auto text = std::regex_replace(read_file(*list), std::regex("\\b(Infinity|NaN)\\b"), "null");
  const auto samples = nlohmann::json::parse(text);
  for (const auto& sample : samples["reject"]) {
    const auto path = list->parent_path() / sample["file"].get<std::string>();
    CAPTURE(path.string(), sample["note"].get<std::string>());
    CHECK_THROWS_AS(read_safetensors(path), CheckpointError);
    CHECK_THAT(reason_of_refusal(path), ContainsSubstring(path.filename().string()));
  }
}

TEST_CASE("a refused file says which tensor is wrong and how", "[tensor]") {
  const TemporaryFolder folder;
  struct Case {
    std::string header;
    size_t data_bytes;
    std::string reason;
  };
  const auto one = [](const std::string& body) { return "{\"w\":{" + body + "}}"; };
  const std::vector<Case> cases = {
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 9, "1 bytes after the last tensor"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 7, "take 8 bytes, but only 7 are there"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), 12, "4 unused bytes before tensor 'w'"},
      {one(R"("dtype":"F33","shape":[2],"data_offsets":[0,8])"), 8, "tensor 'w': unknown dtype 'F33'"},
      {one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), 8, "tensor 'w': F32 of shape [3] take 12 bytes"},
      {one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), 8, "'shape' holds 2.0"},
      {one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), 8, "'shape' holds -2"},
      {one(R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])"), 0, "more elements than"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8.0])"), 8, "'data_offsets' is not a pair"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"), 8, "'data_offsets' is not a pair"},
      {one(R"("dtype":"F32","data_offsets":[0,8])"), 8, "'shape' is missing"},
      {one(R"("dtype":"F4","shape":[3],"data_offsets":[0,1])"), 1, "F4 of shape [3]"},
      {one(R"("dtype":"F4","shape":[2],"data_offsets":[0,1])"), 1, "has no counterpart here"},
      {one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), 8, "'dtype' twice"},
      {R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       1, "'w' twice"},
      {R"({"__metadata__":{"a":1}})", 0, "the value of 'a' in '__metadata__'"},
      {R"({"__metadata__":null})", 0, "'__metadata__' is not an object"},
      {R"([])", 0, "does not begin with '{'"},
      {" {}", 0, "does not begin with '{'"},
      {"", 0, "does not begin with '{'"},
      {std::string("{}\0", 3), 0, "zero byte"},
      {"{} {}", 0, "not valid JSON"},
      {R"({"w":[[[[[]]]]]})", 0, "nested too deeply"},
      {R"({"w":3})", 0, "tensor 'w': its description is not an object"},
  };
  for (const Case& bad : cases) {
    CAPTURE(bad.header, bad.data_bytes);
    write_raw(folder / "w.safetensors", raw_file(bad.header, bad.data_bytes));
    CHECK_THAT(reason_of_refusal(folder / "w.safetensors"), ContainsSubstring(bad.reason));
  }
}

TEST_CASE("a shape that LibTorch cannot hold is refused and not tried", "[tensor]") {
  const TemporaryFolder folder;
  std::string ones = "1";
  for (int i = 0; i < 80; ++i) ones += ",1";
  write_raw(folder / "w.safetensors",
            raw_file("{\"w\":{\"dtype\":\"U8\",\"shape\":[" + ones + "],\"data_offsets\":[0,1]}}", 1));
  CHECK_THAT(reason_of_refusal(folder / "w.safetensors"), ContainsSubstring("81 dimensions"));
  write_raw(folder / "v.safetensors",
            raw_file(R"({"v":{"dtype":"U8","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", 0));
  CHECK(read_safetensors_header(folder / "v.safetensors").tensors.size() == 1);
  CHECK_THAT(reason_of_refusal(folder / "v.safetensors"), ContainsSubstring("too large"));
}

TEST_CASE("a byte that is no BOOL is refused", "[tensor]") {
  const TemporaryFolder folder;
  auto bytes = raw_file(R"({"m":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  bytes.back() = 7;
  write_raw(folder / "m.safetensors", bytes);
  CHECK_THAT(reason_of_refusal(folder / "m.safetensors"), ContainsSubstring("element 1 of type BOOL is 7"));
}

TEST_CASE("what is written is read back bit for bit, with its metadata", "[tensor]") {
  const TemporaryFolder folder;
  const auto tensors = tensors_of_every_type();
  const FileDigest digest = write_safetensors(folder / "t.safetensors", tensors, {{"note", "hällo"}});
  std::string sha256;
  const SafetensorsFile file = read_safetensors(folder / "t.safetensors", &sha256);
  CHECK(sha256 == digest.sha256);
  CHECK(file.metadata == SafetensorsMetadata{{"format", "pt"}, {"note", "hällo"}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    CHECK(same_bits(file.tensors.at(name), tensor));
  }
  CHECK(digest == digest_of_file(folder / "t.safetensors"));
}

TEST_CASE("large tensors, written in blocks and read in parts, are the same bits", "[tensor]") {
  const TemporaryFolder folder;
  auto generator = at::detail::createCPUGenerator(/*seed=*/1);
  const NamedTensors tensors = {{"large", torch::randn({2701, 2003}, generator)},  // 21.6 MB
                                {"one", torch::randn({1}, generator)},
                                {"other", torch::randn({3000001}, generator).to(torch::kBFloat16)}};
  const FileDigest digest = write_safetensors(folder / "t.safetensors", tensors);
  std::string sha256;
  const SafetensorsFile file = read_safetensors(folder / "t.safetensors", &sha256);
  CHECK(sha256 == digest.sha256);
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    CHECK(same_bits(file.tensors.at(name), tensor));
  }
  CHECK(digest == digest_of_file(folder / "t.safetensors"));
}

TEST_CASE("views and transposes are written as they look, not as they lie", "[tensor]") {
  const TemporaryFolder folder;
  const auto base = torch::arange(12, torch::kFloat32).view({3, 4});
  write_safetensors(folder / "t.safetensors",
                    {{"transpose", base.t()}, {"column", base.select(1, 2)}, {"leaf", base.clone().requires_grad_()}});
  const auto file = read_safetensors(folder / "t.safetensors");
  CHECK(torch::equal(file.tensors.at("transpose"), base.t()));
  CHECK(torch::equal(file.tensors.at("column"), torch::tensor({2.f, 6.f, 10.f})));
  CHECK_FALSE(file.tensors.at("leaf").requires_grad());
}

TEST_CASE("the layout is by falling element size, then name, behind a header padded to 8", "[tensor]") {
  const TemporaryFolder folder;
  write_safetensors(folder / "t.safetensors", {{"a", torch::zeros({1}, torch::kUInt8)},
                                               {"c", torch::zeros({2})},
                                               {"b", torch::zeros({3})},
                                               {"z", torch::zeros({1}, torch::kFloat64)}});
  const auto header = read_safetensors_header(folder / "t.safetensors");
  std::string order;
  for (const auto& entry : header.tensors) order += entry.name;
  CHECK(order == "zbca");
  CHECK(header.data_start % 8 == 0);
  CHECK_THAT(read_file(folder / "t.safetensors"),
             ContainsSubstring(R"({"__metadata__":{"format":"pt"},"z":{"dtype":"F64")"));
}

TEST_CASE("pickles and NumPy archives are refused with the way to convert them", "[tensor]") {
  const TemporaryFolder folder;
  for (const std::string name : {"m.pt", "m.bin", "m.ckpt", "M.PTH", "m.npz"}) {
    CAPTURE(name);
    write_raw(folder / name, "anything");
    try {
      read_safetensors_header(folder / name);
      FAIL("was read");
    } catch (const CheckpointError& error) {
      CHECK_THAT(error.hint(), ContainsSubstring("save_file"));
      CHECK_THAT(error.hint(), ContainsSubstring(name));
    }
  }
  write_raw(folder / "renamed.safetensors", std::string("PK\3\4") + std::string(100, 'x'));
  CHECK_THAT(reason_of_refusal(folder / "renamed.safetensors"), ContainsSubstring("zip archive"));
}

TEST_CASE("a missing file and a folder are bad checkpoints, not crashes", "[tensor]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_safetensors(folder / "absent.safetensors"), CheckpointError);
  CHECK_THROWS_AS(read_safetensors(folder.path()), CheckpointError);
}

TEST_CASE("a damaged file is refused or read, and never does harm", "[tensor]") {
  const TemporaryFolder folder;
  write_safetensors(folder / "good.safetensors", tensors_of_every_type());
  const std::string good = read_file(folder / "good.safetensors");
  CounterRng rng(20261122, Stream::kData);
  int refused = 0;
  constexpr int kFiles = 3000;
  for (int i = 0; i < kFiles; ++i) {
    std::string bytes = good;
    const auto edits = 1 + rng.below(4);
    for (uint64_t edit = 0; edit < edits && !bytes.empty(); ++edit) {
      // Half of the edits hit the first bytes, where the lengths are; the header makes up most of the rest.
      const size_t place = rng.below(2) ? rng.below(std::min<uint64_t>(bytes.size(), 24)) : rng.below(bytes.size());
      switch (rng.below(4)) {
        case 0:
          bytes[place] = static_cast<char>(rng.next_u32());
          break;
        case 1:
          bytes.resize(place);
          break;
        case 2:
          bytes.insert(place, 1, static_cast<char>('0' + rng.below(10)));
          break;
        default:
          bytes.erase(place, 1 + rng.below(3));
      }
    }
    write_raw(folder / "bad.safetensors", bytes);
    try {
      for (const auto& [name, tensor] : read_safetensors(folder / "bad.safetensors").tensors)
        sha256_hex({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
    } catch (const CheckpointError&) {
      ++refused;
    }
  }
  CHECK(refused > kFiles / 2);
}

}  // namespace sst::tensor
