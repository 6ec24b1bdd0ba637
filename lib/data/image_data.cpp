#include "data/image_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/permutation.hpp"
#include "core/seeds.hpp"
#include "data/idx_file.hpp"

namespace sst::data {
namespace {

constexpr double kWhite = 255;

struct ImageFiles {
  std::filesystem::path images, labels;
};

/// A split as its two files hold it, with the size of an image.
struct ReadImages {
  ImageSet set;
  int64_t height = 0, width = 0;
};

ReadImages read_images(const ImageFiles& files, std::string& digests) {
  const IdxFile images = read_idx(files.images, 3), labels = read_idx(files.labels, 1);
  if (images.values.size(0) != labels.values.size(0))
    throw DataError(fmt::format("{} holds {} images, but {} holds {} labels", files.images.string(),
                                images.values.size(0), files.labels.string(), labels.values.size(0)),
                    "name the files of one split");
  digests += images.sha256 + labels.sha256;
  return {.set = {.pixels = images.values.flatten(1), .labels = labels.values.to(torch::kInt64)},
          .height = images.values.size(1),
          .width = images.values.size(2)};
}

/// A split whose images and labels must be of the kind that is trained on.
ImageSet read_same_kind(const ImageFiles& files, const ImageData& data, std::string& digests) {
  ReadImages read = read_images(files, digests);
  if (read.height != data.height || read.width != data.width)
    throw DataError(fmt::format("{}: images of {} x {} pixels, but those to train on have {} x {}",
                                files.images.string(), read.height, read.width, data.height, data.width),
                    "name files of one data set");
  const auto largest = read.set.labels.max().item<int64_t>();
  if (largest >= data.classes) {
    const auto at = read.set.labels.argmax().item<int64_t>();
    throw DataError(fmt::format("{}: label {} is class {}, but the training labels end at {}", files.labels.string(),
                                at, largest, data.classes - 1),
                    "name files of one data set");
  }
  return std::move(read.set);
}

ImageSet chosen(const ImageSet& set, std::vector<int64_t> images) {
  std::sort(images.begin(), images.end());
  const torch::Tensor index = torch::tensor(images, torch::kInt64);
  return {.pixels = set.pixels.index_select(0, index), .labels = set.labels.index_select(0, index)};
}

/// Moves a share of the training images to valid.
void hold_out(ImageData& data, double share, int64_t split_seed) {
  const int64_t images = data.train.size(), held = std::llround(share * static_cast<double>(images));
  if (held == 0) {
    if (share > 0)
      throw DataError(fmt::format("'data.valid_fraction' holds out none of {} images", images),
                      "raise it, or set it to 0 and use eval.splits: [test], eval.checkpoint: last");
    return;
  }
  const Permutation order(images, CounterRng(static_cast<uint64_t>(split_seed), Stream::kData, name_index("images")));
  std::vector<int64_t> valid, train;
  for (int64_t i = 0; i < images; ++i) (i < held ? valid : train).push_back(order(i));
  data.valid = chosen(data.train, std::move(valid));
  data.train = chosen(data.train, std::move(train));
}

/// Sums of whole numbers below 2^53, so that they are exact in any order.
void set_scale(ImageData& data, bool normalize) {
  data.scale = 1 / kWhite;
  if (!normalize) return;
  const auto counts = torch::bincount(data.train.pixels.flatten(), {}, 256).to(torch::kFloat64);
  const torch::Tensor values = torch::arange(256, torch::kFloat64);
  const double count = counts.sum().item<double>();
  data.shift = (counts * values).sum().item<double>() / count;
  const double variance = (counts * (values - data.shift).square()).sum().item<double>() / count;
  if (variance > 0) data.scale = 1 / std::sqrt(variance);
}

ImageFiles files_below(const std::filesystem::path& root, const recipe::Path& images, const recipe::Path& labels) {
  return {.images = root / images.text, .labels = root / labels.text};
}

}  // namespace

std::vector<Problem> check_image_options(const ImageDataOptions& options) {
  std::vector<Problem> problems;
  if (options.valid_images.has_value() != options.valid_labels.has_value())
    problems.push_back({.key = options.valid_images ? "data.valid.images" : "data.valid.labels",
                        .id = "E-valid",
                        .message = "images and labels to validate on go together",
                        .hint = "give both, or neither and data.valid_fraction"});
  if (options.valid_images && options.valid_fraction)
    problems.push_back({.key = "data.valid_fraction",
                        .id = "E-valid",
                        .message = "'data.valid_fraction' holds out training images, but 'data.valid' names others",
                        .hint = "give one of them"});
  if (options.test_images == options.train_images || options.valid_images == options.train_images ||
      options.valid_images == options.test_images)
    problems.push_back({.key = options.test_images == options.train_images ? "data.test.images" : "data.valid.images",
                        .id = "E-same-file",
                        .message = "two splits name the same images",
                        .hint = "name other files"});
  return problems;
}

std::vector<std::filesystem::path> image_files(const ImageDataOptions& options,
                                               const std::filesystem::path& data_root) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : {options.train_images, options.train_labels, options.test_images, options.test_labels})
    files.push_back(data_root / path.text);
  for (const auto& path : {options.valid_images, options.valid_labels})
    if (path) files.push_back(data_root / path->text);
  return files;
}

ImageData load_image_data(const ImageDataOptions& options, const std::filesystem::path& data_root) {
  std::string digests;
  ImageData data;
  const auto train = read_images(files_below(data_root, options.train_images, options.train_labels), digests);
  data.height = train.height;
  data.width = train.width;
  data.train = train.set;
  data.classes = train.set.labels.max().item<int64_t>() + 1;
  data.test = read_same_kind(files_below(data_root, options.test_images, options.test_labels), data, digests);
  if (options.valid_images)
    data.valid = read_same_kind(files_below(data_root, *options.valid_images, *options.valid_labels), data, digests);
  hold_out(data, options.held_out(), options.split_seed);
  if (data.train.size() == 0)
    throw DataError("no image is left to train on", "lower data.valid_fraction, or give more images");
  set_scale(data, options.normalize);
  data.sha256 = sha256_hex(fmt::format("{} {} {}", digests, data.valid.size(), options.split_seed));
  return data;
}

torch::Tensor image_batch(int64_t images, int64_t batch, uint64_t seed, int64_t step) {
  const int64_t per_epoch = (images + batch - 1) / batch, first = step % per_epoch * batch;
  const Permutation order(images, CounterRng(seed, Stream::kDataOrder, static_cast<uint64_t>(step / per_epoch)));
  std::vector<int64_t> index(static_cast<size_t>(std::min(batch, images - first)));
  for (size_t i = 0; i < index.size(); ++i) index[i] = order(first + static_cast<int64_t>(i));
  return torch::tensor(index, torch::kInt64);
}

}  // namespace sst::data
