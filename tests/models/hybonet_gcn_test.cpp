#include "models/hybonet_gcn.hpp"

#include "nn/link_scores.hpp"
#include "nn/lorentz_classifier.hpp"
#include "nn/loss.hpp"
#include "tensor/lorentz.hpp"
#include "tensor/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hybonet_replay.hpp"
#include "tests/support/sparse.hpp"
#include "tests/support/vectors.hpp"

namespace sst::models {
namespace {

using testing::agrees;
using testing::hybonet_vectors;
using testing::kDouble;
using testing::near;
using testing::Replay;
using testing::sparse_input;

const nn::Pass kEvaluation{};

void check_gradients(const torch::nn::Module& model, const nlohmann::json& reference) {
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) {
    CAPTURE(name);
    CHECK(agrees(tensor.grad(), testing::to_tensor(reference.at(name))));
  }
  CHECK(nn::trainable_tensors(model).size() == reference.size());
}

int64_t trained_scalars(const testing::Model& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) count += tensor.numel();
  return count;
}

}  // namespace

TEST_CASE("a node classifier gives the published embeddings, loss and gradients", "[models]") {
  const std::string name = GENERATE("nc_model_train", "nc_model_train_relu4");
  CAPTURE(name);
  const auto vectors = hybonet_vectors(name);
  if (!vectors) return;
  Replay replay(*vectors);
  CHECK(agrees(replay.embed(), vectors->out("embeddings_step1")));
  const torch::Tensor mean = replay.training_loss();
  CHECK(mean.item<double>() == near(vectors->out_number("loss_1")));
  mean.backward();
  check_gradients(replay.model, vectors->outputs().at("grads_before_clip_1"));
}

TEST_CASE("a link predictor gives the published embeddings, loss and gradients", "[models]") {
  const auto vectors = hybonet_vectors("lp_model_eval");
  if (!vectors) return;
  Replay replay(*vectors);
  const torch::Tensor h = replay.embed();
  CHECK(agrees(h, vectors->out("embeddings")));
  const nn::LossSum loss =
      nn::link_margin_loss(nn::link_scores(h, vectors->in_indices("pos_edges").t()),
                           nn::link_scores(h, vectors->in_indices("neg_edges").t()), vectors->in_number("margin"));
  const torch::Tensor mean = loss.sum / loss.count;
  CHECK(mean.item<double>() == near(vectors->out_number("loss")));
  mean.backward();
  check_gradients(replay.model, vectors->outputs().at("grads"));
}

TEST_CASE("the models of the published commands have their numbers of trained scalars", "[models]") {
  struct Row {
    const char* name;
    int64_t features, graph_layers, classes, scalars;
  };
  const auto row =
      GENERATE(Row{"Cora NC", 1433, 2, 7, 23353}, Row{"Cora LP", 1433, 2, 0, 23234}, Row{"PubMed NC", 500, 2, 3, 8357},
               Row{"PubMed LP", 500, 2, 0, 8306}, Row{"Airport NC", 11, 5, 4, 1369}, Row{"Airport LP", 12, 2, 0, 498},
               Row{"Disease LP", 11, 2, 0, 482}, Row{"Disease NC", 1000, 3, 2, 16613});
  CAPTURE(row.name);
  CHECK(trained_scalars(testing::Model({}, row.features + 1, row.graph_layers, row.classes)) == row.scalars);
}

TEST_CASE("every embedding lies on the hyperboloid, in float32 as well, with attention as without", "[models]") {
  const auto dtype = GENERATE(torch::kFloat32, torch::kFloat64);
  const bool attention = GENERATE(false, true);
  const nn::Build build{.linear = nn::dense_factory(), .seed = 5, .tensors = dtype};
  HybonetEncoder encoder({.hidden_size = 8, .activation = "relu", .dropout = 0.3, .use_att = attention}, 6, 3, build);
  const auto draw = [&](std::vector<int64_t> shape, uint64_t index) {
    return tensor::normal(shape, 0, 1, {7, Stream::kInit, index}, dtype);
  };
  const torch::Tensor noise = draw({20, 20}, 2);
  const auto adjacency = testing::to_csr(torch::eye(20, dtype) + noise * (noise > 0.5));
  const torch::Tensor h = encoder.embed(sparse_input(draw({20, 5}, 1)), adjacency, {.training = true, .seed = 1});
  CHECK(h.sizes() == torch::IntArrayRef({20, encoder.embedding_size()}));
  CHECK(h.scalar_type() == dtype);
  const torch::Tensor square = tensor::lorentz::minkowski_inner(h, h);
  const double rounding = dtype == torch::kFloat32 ? 1e-3 : 1e-11;  // time entries are squared and cancel
  CHECK((square + 1).abs().max().item<double>() < rounding);
}

TEST_CASE("a mask depends on seed, step and layer, not on what ran before", "[models]") {
  HybonetEncoder encoder({.hidden_size = 4, .dropout = 0.5}, 6, 2, kDouble);
  const torch::Tensor features = tensor::normal({9, 5}, 0, 1, {7, Stream::kInit}, torch::kFloat64);
  const auto adjacency = testing::to_csr(torch::eye(9, torch::kFloat64));
  const auto embed = [&](int64_t step) {
    return encoder.embed(sparse_input(features), adjacency, {.training = true, .seed = 1, .step = step});
  };
  const torch::Tensor first = embed(4);
  embed(5);
  CHECK(torch::equal(embed(4), first));
  CHECK_FALSE(torch::equal(embed(5), first));
}

TEST_CASE("a model without a graph layer is refused with the way out", "[models]") {
  CHECK_THROWS_WITH(HybonetEncoder({.num_layers = 1}, 6, 0, kDouble), ContainsSubstring("'model.num_layers' is 1"));
}

}  // namespace sst::models
