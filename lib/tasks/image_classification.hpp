#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/image_data.hpp"
#include "models/mlp.hpp"
#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"
#include "tasks/kept_activations.hpp"
#include "tasks/task.hpp"

namespace sst::tasks {

/// `train` of image classification.
struct ImageStepOptions {
  recipe::OrWord<int64_t> micro_batch = {};

  int64_t images() const { return micro_batch.value.value_or(1); }

  template <class Field>
  void describe(Field& field) {
    field(micro_batch, "micro_batch", recipe::at_least(1).required(),
          "images of an optimizer step; the last step of an epoch takes those that are left");
  }
};

struct ImageRecipe {
  data::ImageDataOptions data;
  models::MlpOptions model;
  ImageStepOptions step;
  std::string data_root;
  uint64_t seed = 1;

  static ImageRecipe from(const recipe::Recipe& recipe);
};

/// Which class an image belongs to: cross-entropy over mini-batches whose order is a pure function of (seed, epoch).
class ImageClassification final : public Task {
 public:
  explicit ImageClassification(ImageRecipe recipe);

  Workload workload() const override;
  void build(const nn::Build& build) override;
  torch::nn::Module& model() override { return *model_; }
  std::vector<std::string> splits() const override;

  nn::LossSum loss(const nn::Pass& pass, int64_t /*part*/) override { return training_loss(pass); }
  /// "accuracy" and "loss", nats per image; of "train_set" over all training images, by the weights as they are.
  Evaluated evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) override;

  std::vector<std::pair<std::string, std::string>> facts() const override;
  std::string data_sha256() const override { return data_.sha256; }
  /// Of a pass over one batch, which is tried once.
  double step_bytes(double gradients) const override;
  void set_memory_budget(double /*bytes*/, const nn::Pass& pass) override { compute_ = pass.compute; }

 private:
  nn::LossSum loss_of(const torch::Tensor& logits, const torch::Tensor& labels) const;
  torch::Tensor logits_of(const torch::Tensor& pixels, const nn::Pass& pass) const;
  nn::LossSum training_loss(const nn::Pass& pass) const;

  ImageRecipe recipe_;
  data::ImageData data_;  ///< on the model's device once it is built
  std::shared_ptr<models::Mlp> model_;
  torch::TensorOptions tensors_;
  std::optional<torch::ScalarType> compute_;
  mutable std::optional<PassBytes> pass_;
};

/// Reports what the sections of an image recipe get wrong together, its files included where they are there.
///   returns   the linear maps of the model; none when that cannot be told
std::vector<nn::LinearSpec> check_image_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics);

}  // namespace sst::tasks
