#include "data/image_data.hpp"

#include <fstream>
#include <set>

#include "core/error.hpp"
#include "data/idx_file.hpp"
#include "tests/support/archives.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/smoke_images.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::data {
namespace {

using testing::idx_bytes;
using testing::TemporaryFolder;

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

ImageDataOptions smoke_options() {
  ImageDataOptions options;
  options.format = "idx";
  options.train_images = {"train-images"};
  options.train_labels = {"train-labels"};
  options.test_images = {"test-images"};
  options.test_labels = {"test-labels"};
  return options;
}

}  // namespace

TEST_CASE("an idx file is read plain and packed, in the order of its bytes", "[data]") {
  const TemporaryFolder folder;
  const std::string bytes = idx_bytes({2, 2, 3}, "abcdefuvwxyz");
  write_bytes(folder / "images", bytes);
  write_bytes(folder / "images.gz", testing::compressed("gzip", bytes));
  for (const char* name : {"images", "images.gz"}) {
    const IdxFile file = read_idx(folder / name, 3);
    CHECK(file.values.sizes() == torch::IntArrayRef({2, 2, 3}));
    CHECK(file.values[1][0][2].item<int>() == 'w');
    CHECK(file.sha256 == read_idx(folder / "images", 3).sha256);
  }
}

TEST_CASE("an idx file that is not what it says is refused with file and byte", "[data]") {
  const TemporaryFolder folder;
  const std::string good = idx_bytes({2, 2, 3}, "abcdefuvwxyz");
  std::string floats = good, four = good;
  floats[2] = 0x0D;
  four[3] = 4;
  const std::vector<std::pair<std::string, std::string>> spoilt = {
      {"", "byte 0: this is no idx file"},
      {"P5 2 2 255\n", "byte 0: this is no idx file"},
      {floats, "byte 2: type 0x0d"},
      {four, "byte 3: 4 dimensions where 3 are expected"},
      {good.substr(0, 9), "byte 9: the file ends inside its header"},
      {idx_bytes({2, 0, 3}, ""), "byte 8: a size of zero"},
      {idx_bytes({~0U, ~0U, ~0U}, ""), "byte 8: a size of 4294967295"},
      {good.substr(0, good.size() - 1), "11 values after the header, but its sizes ask for 12"},
      {good + "!", "13 values after the header, but its sizes ask for 12"}};
  for (const auto& [bytes, message] : spoilt) {
    CAPTURE(message);
    write_bytes(folder / "images", bytes);
    CHECK_THROWS_WITH(read_idx(folder / "images", 3), ContainsSubstring("images: ") && ContainsSubstring(message));
  }
  write_bytes(folder / "cut.gz", testing::compressed("gzip", good).substr(0, 20));
  CHECK_THROWS_AS(read_idx(folder / "cut.gz", 3), DataError);
  write_bytes(folder / "plain.gz", good);
  CHECK_THROWS_WITH(read_idx(folder / "plain.gz", 3), ContainsSubstring("not compressed as its name says"));
  CHECK_THROWS_AS(read_idx(folder / "nowhere", 3), DataError);
}

TEST_CASE("images held out follow from the split's seed, and none is lost or in two splits", "[data]") {
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  const auto root = folder / "data/smoke";
  ImageDataOptions options = smoke_options();
  const ImageData data = load_image_data(options, root);
  CHECK(data.train.size() == 81);
  CHECK(data.valid.size() == 9);
  CHECK(data.test.size() == 40);
  CHECK(data.classes == 4);
  const torch::Tensor both = torch::cat({data.train.pixels, data.valid.pixels});
  const torch::Tensor all = read_idx(root / "train-images", 3).values.flatten(1);
  const auto sorted = [](const torch::Tensor& rows) {
    std::multiset<std::string> texts;
    for (int64_t i = 0; i < rows.size(0); ++i) {
      const torch::Tensor row = rows[i].contiguous();
      texts.insert(std::string(reinterpret_cast<const char*>(row.const_data_ptr<uint8_t>()), row.numel()));
    }
    return texts;
  };
  CHECK(sorted(both) == sorted(all));
  CHECK(torch::equal(load_image_data(options, root).valid.pixels, data.valid.pixels));
  options.split_seed = 5;
  CHECK_FALSE(torch::equal(load_image_data(options, root).valid.pixels, data.valid.pixels));
  CHECK(load_image_data(options, root).sha256 != data.sha256);
  options.valid_fraction = 0;
  CHECK(load_image_data(options, root).train.size() == 90);
}

TEST_CASE("pixels are shifted and scaled to mean 0 and variance 1 over the training images", "[data]") {
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  ImageDataOptions options = smoke_options();
  const ImageData data = load_image_data(options, folder / "data/smoke");
  const torch::Tensor x = (data.train.pixels.to(torch::kFloat64) - data.shift) * data.scale;
  CHECK(x.mean().item<double>() == Approx(0).margin(1e-12));
  CHECK(x.square().mean().item<double>() == Approx(1));
  options.normalize = false;
  const ImageData plain = load_image_data(options, folder / "data/smoke");
  CHECK(plain.shift == 0);
  CHECK(plain.scale == 1.0 / 255);
}

TEST_CASE("files that do not belong together are named", "[data]") {
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  const auto root = folder / "data/smoke";
  ImageDataOptions options = smoke_options();
  options.test_labels = options.train_labels;
  CHECK_THROWS_WITH(load_image_data(options, root),
                    ContainsSubstring("test-images holds 40 images") && ContainsSubstring("train-labels holds 90"));
  options = smoke_options();
  write_bytes(root / "wide", idx_bytes({40, 4, 9}, std::string(1440, 'a')));
  options.test_images = {"wide"};
  CHECK_THROWS_WITH(load_image_data(options, root), ContainsSubstring("wide: images of 4 x 9 pixels"));
  options = smoke_options();
  write_bytes(root / "odd", idx_bytes({40}, std::string(39, '\0') + '\x09'));
  options.test_labels = {"odd"};
  CHECK_THROWS_WITH(load_image_data(options, root),
                    ContainsSubstring("odd: label 39 is class 9, but the training labels end at 3"));
  options.valid_images = options.train_images;
  CHECK(check_image_options(options).size() == 2);
}

TEST_CASE("every epoch takes every image once, in an order that seed and epoch alone decide", "[data]") {
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<torch::Tensor> batches;
    for (int64_t step = 0; step < 4; ++step) batches.push_back(image_batch(10, 3, 1, 4 * epoch + step));
    CHECK(batches.back().size(0) == 1);
    const torch::Tensor order = torch::cat(batches);
    CHECK(torch::equal(std::get<0>(order.sort()), torch::arange(10)));
    CHECK_FALSE(torch::equal(order.narrow(0, 0, 3), image_batch(10, 3, 1, 4 * epoch + 4)));
  }
  CHECK_FALSE(torch::equal(image_batch(100, 100, 1, 0), image_batch(100, 100, 2, 0)));
  CHECK(image_batch(10, 64, 1, 5).size(0) == 10);
}

}  // namespace sst::data
