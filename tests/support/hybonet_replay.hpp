#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "models/hybonet_gcn.hpp"
#include "nn/lorentz_classifier.hpp"
#include "nn/loss.hpp"
#include "tensor/lorentz.hpp"
#include "tests/support/build.hpp"
#include "tests/support/set_tensors.hpp"
#include "tests/support/sparse.hpp"
#include "tests/support/vectors.hpp"

namespace sst::testing {

/// Encoder and, for node classification, head under the names that tasks give them.
struct Model : torch::nn::Module {
  Model(const models::HybonetOptions& options, int64_t features, int64_t graph_layers, int64_t classes,
        const nn::Build& build = kDouble) {
    encoder =
        register_module("encoder", std::make_shared<models::HybonetEncoder>(options, features, graph_layers, build));
    if (classes > 0)
      decoder = register_module(
          "decoder", std::make_shared<nn::LorentzClassifier>(classes, options.hidden_size, build, "decoder"));
  }
  std::shared_ptr<models::HybonetEncoder> encoder;
  std::shared_ptr<nn::LorentzClassifier> decoder;
};

/// Raw features as they enter a model: a zero in front, then the exponential map; space entries sparse.
inline tensor::Rows sparse_input(const torch::Tensor& features) {
  const torch::Tensor points = tensor::lorentz::expmap0(torch::constant_pad_nd(features, {1, 0}));
  return {points.select(1, 0), to_csr(points.narrow(1, 1, features.size(1)))};
}

/// A model case of the reference: its graph, and a model with its weights.
struct Replay {
  explicit Replay(const VectorCase& reference)
      : vectors(reference),
        adjacency(to_csr(vectors.in("adj_norm"))),
        input(sparse_input(vectors.in("features"))),
        model({.hidden_size = vectors.inputs().at("dim"),
               .num_layers = vectors.inputs().at("num_layers"),
               .activation = vectors.inputs().at("act")},
              input.cols(),
              vectors.inputs().at("num_layers").get<int64_t>() - (vectors.inputs().contains("labels") ? 1 : 0),
              vectors.inputs().contains("labels") ? 3 : 0) {
    set_tensors(model, to_tensors(vectors.inputs().at("params")));
  }
  torch::Tensor embed() { return model.encoder->embed(input, adjacency, {}); }

  /// Mean margin loss over the training nodes of a node classification case.
  torch::Tensor training_loss() {
    const torch::Tensor train = vectors.in_indices("idx_train"), h = embed();
    const nn::LossSum loss =
        nn::margin_loss(model.decoder->forward(h.index_select(0, train)),
                        vectors.in_indices("labels").index_select(0, train), vectors.in_number("margin"));
    return loss.sum / loss.count;
  }

  VectorCase vectors;
  std::shared_ptr<const tensor::CsrMatrix> adjacency;
  tensor::Rows input;
  Model model;
};

}  // namespace sst::testing
