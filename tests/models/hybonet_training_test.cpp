// The published training steps, replayed: model, clipping and Riemannian Adam together.
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/riemannian_adam.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hybonet_replay.hpp"

namespace sst::models {
namespace {

using testing::agrees;
using testing::near;

optim::Optimizer optimizer_of(const testing::Model& model, double weight_decay) {
  optim::Optimizer optimizer(std::make_unique<optim::RiemannianAdam>(optim::AdamOptions{}), weight_decay);
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) {
    const bool points = name == "decoder.cls";
    optimizer.add({.name = name,
                   .tensor = tensor,
                   .geometry = points ? optim::Geometry::kLorentz : optim::Geometry::kEuclidean,
                   .decay = name.ends_with(".weight.weight")});
  }
  return optimizer;
}

void check_tensors(const torch::nn::Module& model, const nlohmann::json& reference) {
  for (const auto& [name, tensor] : nn::stored_tensors(model)) {
    CAPTURE(name);
    CHECK(agrees(tensor, testing::to_tensor(reference.at(name))));
  }
}

}  // namespace

TEST_CASE("three clipped steps give the published losses, norms, weights and embeddings", "[models]") {
  const std::string name = GENERATE("nc_model_train", "nc_model_train_relu4");
  CAPTURE(name);
  const auto vectors = testing::hybonet_vectors(name);
  if (!vectors) return;
  testing::Replay replay(*vectors);
  optim::Optimizer optimizer = optimizer_of(replay.model, vectors->in_number("weight_decay"));
  for (const std::string step : {"1", "2", "3"}) {
    CAPTURE(step);
    optimizer.zero_grad();
    const torch::Tensor loss = replay.training_loss();
    CHECK(loss.item<double>() == near(vectors->out_number("loss_" + step)));
    loss.backward();
    const auto norm = optim::clip_gradients_(optimizer.parameters(), vectors->in_number("grad_clip"));
    CHECK(norm.norm == near(vectors->out_number("grad_norm_before_clip_" + step)));
    optimizer.step({.base = vectors->in_number("lr"), .low_rank = 0});
    if (vectors->outputs().contains("params_after_" + step))
      check_tensors(replay.model, vectors->outputs().at("params_after_" + step));
  }
  CHECK(agrees(replay.embed(), vectors->out("final_embeddings")));
}

}  // namespace sst::models
