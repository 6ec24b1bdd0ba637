#include "tasks/image_classification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "tasks/graph_task.hpp"

namespace sst::tasks {
namespace {

/// Images that are evaluated at a time: apart from the step's, so that metrics do not depend on it.
constexpr int64_t kEvaluatedAtOnce = 1024;

}  // namespace

ImageRecipe ImageRecipe::from(const recipe::Recipe& recipe) {
  return {.data = recipe.read<data::ImageDataOptions>("data"),
          .model = recipe.read<models::MlpOptions>("model"),
          .step = recipe.read<ImageStepOptions>("train"),
          .data_root = tasks::data_root(recipe),
          .seed = static_cast<uint64_t>(recipe.value<int64_t>("seed"))};
}

ImageClassification::ImageClassification(ImageRecipe recipe)
    : recipe_(std::move(recipe)), data_(data::load_image_data(recipe_.data, recipe_.data_root)) {}

Workload ImageClassification::workload() const {
  const int64_t batch = recipe_.step.images();
  return {.hidden_size = recipe_.model.hidden_size,
          .rows_per_step = std::min(batch, data_.train.size()),
          .step = {.per_epoch = (data_.train.size() + batch - 1) / batch}};
}

void ImageClassification::build(const nn::Build& build) {
  tensors_ = build.tensors;
  model_ = std::make_shared<models::Mlp>(recipe_.model, data_.height * data_.width, data_.classes, build);
  for (data::ImageSet* set : {&data_.train, &data_.valid, &data_.test})
    if (set->size() > 0)
      *set = {.pixels = set->pixels.to(tensors_.device()), .labels = set->labels.to(tensors_.device())};
}

std::vector<std::string> ImageClassification::splits() const {
  if (data_.valid.size() == 0) return {"train_set", "test"};
  return {"train_set", "valid", "test"};
}

torch::Tensor ImageClassification::logits_of(const torch::Tensor& pixels, const nn::Pass& pass) const {
  const torch::Tensor x = (pixels.to(tensors_.device(), torch::kFloat64) - data_.shift) * data_.scale;
  return model_->forward(x.to(tensors_), pass);  // [images, classes]
}

nn::LossSum ImageClassification::loss_of(const torch::Tensor& logits, const torch::Tensor& labels) const {
  const bool is_double = logits.scalar_type() == torch::kFloat64;
  return nn::cross_entropy_loss(is_double ? logits : logits.to(torch::kFloat32), labels);
}

nn::LossSum ImageClassification::training_loss(const nn::Pass& pass) const {
  const torch::Tensor index =
      data::image_batch(data_.train.size(), recipe_.step.images(), recipe_.seed, pass.step).to(tensors_.device());
  return loss_of(logits_of(data_.train.pixels.index_select(0, index), pass), data_.train.labels.index_select(0, index));
}

Evaluated ImageClassification::evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) {
  const auto known = splits();
  require(std::find(known.begin(), known.end(), split) != known.end(), "no split '" + split + "'");
  const torch::NoGradGuard no_grad;
  const data::ImageSet& set = split == "train_set" ? data_.train : split == "valid" ? data_.valid : data_.test;
  double loss = 0;
  int64_t right = 0;
  for (int64_t first = 0; first < set.size(); first += kEvaluatedAtOnce) {
    between();
    const int64_t count = std::min(kEvaluatedAtOnce, set.size() - first);
    const torch::Tensor labels = set.labels.narrow(0, first, count);
    const torch::Tensor logits = logits_of(set.pixels.narrow(0, first, count), pass);
    loss += loss_of(logits, labels).sum.item<double>();
    right += logits.argmax(1).eq(labels).sum().item<int64_t>();
  }
  const auto images = static_cast<double>(set.size());
  return {.metrics = {{"accuracy", static_cast<double>(right) / images}, {"loss", loss / images}}};
}

std::vector<std::pair<std::string, std::string>> ImageClassification::facts() const {
  return {
      {"images", fmt::format("{} train, {} valid, {} test", with_thousands(data_.train.size()),
                             with_thousands(data_.valid.size()), with_thousands(data_.test.size()))},
      {"size", fmt::format("{} x {} pixels, {} classes", data_.height, data_.width, data_.classes)},
      {"model", fmt::format("mlp, {} hidden layers of width {}", recipe_.model.num_layers, recipe_.model.hidden_size)}};
}

double ImageClassification::step_bytes(double gradients) const {
  if (!pass_ && tensors_.device().is_meta()) {
    ImageClassification copy(recipe_);
    copy.compute_ = compute_;
    pass_ = measure_copy(copy, tensors_);
  }
  if (!pass_)
    pass_ = measure_pass([this] { return training_loss({.training = true, .compute = compute_}).sum; }, *model_,
                         tensors_.device().type());
  return pass_->at_once(gradients);
}

namespace {

/// Nothing when the data are absent or wrong.
std::optional<data::ImageData> check_images(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics) {
  if (!recipe.sound("data")) return std::nullopt;
  const auto options = recipe.read<data::ImageDataOptions>("data");
  const auto problems = data::check_image_options(options);
  for (const auto& problem : problems)
    diagnostics.error(problem.id, recipe.place(problem.key), problem.message, problem.hint);
  if (!problems.empty()) return std::nullopt;
  const std::string root = tasks::data_root(recipe);
  for (const auto& file : data::image_files(options, root))
    if (!path_exists(file)) {
      diagnostics.note(recipe.place("data"),
                       "there is no file '" + file.string() +
                           "', so the data were not checked; data_tools/prepare_images.py makes it");
      return std::nullopt;
    }
  try {
    return data::load_image_data(options, root);
  } catch (const DataError& error) {
    diagnostics.error("E-data", recipe.place("data"), error.what(), error.hint());
    return std::nullopt;
  }
}

void check_splits(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics) {
  if (!recipe.sound("data") || !recipe.sound("eval")) return;
  const auto options = recipe.read<data::ImageDataOptions>("data");
  const auto splits = recipe.value<std::vector<std::string>>("eval.splits");
  if (!options.valid_images && options.held_out() == 0 &&
      std::find(splits.begin(), splits.end(), "valid") != splits.end())
    diagnostics.error("E-splits", recipe.place("eval.splits"),
                      "'eval.splits' names valid, but 'data.valid_fraction' is 0, so there is no such split",
                      "hold out a share of the images, or use eval.splits: [test] with eval.checkpoint: last");
}

}  // namespace

std::vector<nn::LinearSpec> check_image_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics) {
  check_splits(recipe, diagnostics);
  const auto images = check_images(recipe, diagnostics);
  if (!recipe.sound("model")) return {};
  const auto model = recipe.read<models::MlpOptions>("model");
  // Without the data the ends are unknown; the inner layers say enough.
  const int64_t inputs = images ? images->height * images->width : model.hidden_size;
  const int64_t outputs = images ? images->classes : model.hidden_size;
  return nn::recorded_maps([&](const nn::Build& build) { models::Mlp(model, inputs, outputs, build); });
}

}  // namespace sst::tasks
