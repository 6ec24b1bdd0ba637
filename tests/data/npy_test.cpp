#include "data/npy.hpp"

#include <fstream>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using sst::DataError;
using sst::data::read_npy;

namespace {

std::string header(const std::string& dictionary, char version = 1) {
  std::string padded = dictionary + "\n";
  std::string bytes = std::string("\x93NUMPY") + version + '\0';
  bytes += static_cast<char>(padded.size() & 0xFF);
  bytes += static_cast<char>(padded.size() >> 8);
  if (version == 2) bytes += std::string(2, '\0');
  return bytes + padded;
}

std::string description(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

class NpyFile {
 public:
  explicit NpyFile(const std::string& bytes) { std::ofstream(path(), std::ios::binary) << bytes; }
  std::filesystem::path path() const { return folder_ / "a.npy"; }
  torch::Tensor read() const { return read_npy(path()); }

 private:
  sst::testing::TemporaryFolder folder_;
};

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

}  // namespace

TEST_CASE("each of the four element types and both header versions are read", "[data]") {
  const NpyFile floats(header(description("<f4", "(2, 3)")) + bytes_of<float>({1, 2, 3, 4, 5, 6.5}));
  CHECK(torch::equal(floats.read(), torch::tensor({{1.F, 2.F, 3.F}, {4.F, 5.F, 6.5F}})));
  const NpyFile doubles(header(description("<f8", "(1,)"), 2) + bytes_of<double>({0.1}));
  CHECK(torch::equal(doubles.read(), torch::tensor({0.1}, torch::kFloat64)));
  const NpyFile ints(header(description("<i4", "(3,)")) + bytes_of<int32_t>({1, -2, 3}));
  CHECK(torch::equal(ints.read(), torch::tensor({1, -2, 3}, torch::kInt32)));
  const NpyFile longs(header(description("<i8", "(2,)")) + bytes_of<int64_t>({int64_t{1} << 40, 0}));
  CHECK(torch::equal(longs.read(), torch::tensor({int64_t{1} << 40, int64_t{0}}, torch::kInt64)));
}

TEST_CASE("an empty array and a scalar keep their shapes", "[data]") {
  CHECK(NpyFile(header(description("<f4", "(0, 5)"))).read().sizes() == torch::IntArrayRef({0, 5}));
  CHECK(NpyFile(header(description("<i8", "()")) + bytes_of<int64_t>({7})).read().item<int64_t>() == 7);
}

TEST_CASE("an array in a form we do not read is refused with its reason", "[data]") {
  struct Refusal {
    std::string bytes, reason;
  };
  const std::string good = header(description("<i4", "(2,)")) + bytes_of<int32_t>({1, 2});
  const std::vector<Refusal> refusals{
      {"", "does not begin with"},
      {"PK\x03\x04 a zip archive", "does not begin with"},
      {header(description("|O", "(2,)")), "element type '|O'"},
      {header(description(">f4", "(1,)")) + "1234", "element type '>f4'"},
      {header(description("<f4", "(2, 2)", "True")) + bytes_of<float>({1, 2, 3, 4}), "Fortran order"},
      {header("{'shape': (2,)}"), "three keys"},
      {header(description("<i4", "(2,)"), 3), "format version 3"},
      {good.substr(0, 20), "ends inside its header"},
      {good.substr(0, good.size() - 1), "holds 7 bytes of data, its header promises 8"},
      {good + "x", "holds 9 bytes of data, its header promises 8"},
      {header(description("<i4", "(999999999999,)")), "its header promises 3999999999996"},
      {header(description("<i4", "(999999999999, 999999999999)")), "too large"},
      {header(description("<i4", "(999999999999,)")), "its header promises 3999999999996"},
      {header(description("<i4", "(99999999999999,)")), "too large"},
      {header(description("<i4", "(0, 999999999999, 999999999999)")), "too large"},
      {header(description(std::string(60'000, 'i'), "(2,)")), "too long"},
  };
  for (const auto& [bytes, reason] : refusals) {
    CAPTURE(reason);
    const NpyFile file(bytes);
    CHECK_THROWS_AS(file.read(), DataError);
    CHECK_THROWS_WITH(file.read(), ContainsSubstring(reason) && ContainsSubstring(file.path().string()));
  }
}

TEST_CASE("a missing array is reported with its path", "[data]") {
  CHECK_THROWS_WITH(read_npy("/nowhere/a.npy"), ContainsSubstring("/nowhere/a.npy"));
}
