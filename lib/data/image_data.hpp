#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/problem.hpp"
#include "recipe/words.hpp"

namespace sst::data {

/// `data` of image classification.
struct ImageDataOptions {
  std::string format;
  recipe::Path train_images, train_labels, test_images, test_labels;
  std::optional<recipe::Path> valid_images, valid_labels;
  std::optional<double> valid_fraction;
  int64_t split_seed = 1234;
  bool normalize = true;

  /// What `valid_fraction` means where it is not given.
  double held_out() const { return valid_fraction.value_or(valid_images ? 0.0 : 0.1); }

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(format, "format", one_of({"idx"}).required(), "files of MNIST's format, plain or .gz; docs/formats.md");
    field(train_images, "train.images", anything().required(), "images to train on, relative to data_root");
    field(train_labels, "train.labels", anything().required(), "their classes, in the same order");
    field(valid_images, "valid.images", anything(), "images to validate on; default: held out of the training images");
    field(valid_labels, "valid.labels", anything(), "their classes");
    field(test_images, "test.images", anything().required(), "images that training never looks at");
    field(test_labels, "test.labels", anything().required(), "their classes");
    field(valid_fraction, "valid_fraction", fraction_below_one(),
          "share of the training images held out where `valid` is not given; default: 0.1; 0: there is no valid split");
    field(split_seed, "split_seed", at_least(0), "decides which images are held out");
    field(normalize, "normalize", anything(),
          "shift and scale all pixels to mean 0 and variance 1 over the training images; false: to [0, 1]");
  }
};

/// Images and their classes, in the order of the files.
struct ImageSet {
  torch::Tensor pixels;  ///< uint8 [images, height · width]
  torch::Tensor labels;  ///< int64 [images]

  int64_t size() const { return labels.defined() ? labels.size(0) : 0; }
};

struct ImageData {
  int64_t height = 0, width = 0;
  int64_t classes = 0;  ///< largest label of the training files + 1
  ImageSet train, valid, test;
  double shift = 0, scale = 1;  ///< an input is (pixel − shift) · scale
  std::string sha256;           ///< of all files and of what is held out
};

/// What `data` gets wrong before any file is looked at.
std::vector<Problem> check_image_options(const ImageDataOptions& options);

/// The files that the options name, below `data_root`.
std::vector<std::filesystem::path> image_files(const ImageDataOptions& options, const std::filesystem::path& data_root);

/// Reads and checks the files. Which images are held out is a pure function of `split_seed`.
///   throws    DataError naming file and byte, or the two files that do not fit together
ImageData load_image_data(const ImageDataOptions& options, const std::filesystem::path& data_root);

/// The images of optimizer step `step`, int64 [at most `batch`]: each epoch goes through all of them in an order of its
/// own, a pure function of (seed, epoch), and ends with what is left over.
torch::Tensor image_batch(int64_t images, int64_t batch, uint64_t seed, int64_t step);

}  // namespace sst::data
