#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include <cstdint>
#include <memory>
#include <string>

#include "models/model.hpp"
#include "nn/build.hpp"
#include "nn/lorentz_aggregate.hpp"
#include "nn/lorentz_linear.hpp"
#include "recipe/words.hpp"

namespace sst::models {

/// `model` of family hybonet_gcn.
struct HybonetOptions {
  std::string geometry = "lorentz";
  double curvature = 1;
  int64_t hidden_size = 16;
  int64_t num_layers = 2;
  std::string activation = "none";
  double dropout = 0;
  bool bias = true;
  bool use_att = false;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(geometry, "geometry", one_of({"lorentz"}), "the space of the embeddings");
    field(curvature, "curvature", between(1, 1), "minus the curvature of that space; this family knows only 1");
    field(hidden_size, "hidden_size", between(2, 65536), "entries of an embedding, the time entry included");
    field(num_layers, "num_layers", between(1, 1024),
          "layers as published: node classification counts its head, link prediction has none");
    field(activation, "activation", one_of({"none", "relu"}), "on the input of every layer but the first");
    field(dropout, "dropout", fraction_below_one(), "share of a layer's input entries that a training step drops");
    field(bias, "bias", anything(), "a bias in every linear map");
    field(use_att, "use_att", anything(), "weigh neighbours by attention; needs memory for nodes × nodes numbers");
  }
};

/// The fully hyperbolic graph network of Chen et al. 2022: layers of a Lorentz linear map and a Lorentz
/// centroid of the neighbours. Tensors: layers.{i}.linear.weight.…, layers.{i}.linear.scale, with attention
/// layers.{i}.agg.….
class HybonetEncoder final : public GraphEncoder {
 public:
  /// `features` counts the time entry in front (F + 1). `name` is the encoder's full path, the key of initial
  /// values, masks and targets. Throws UserError when `graph_layers` is below 1.
  HybonetEncoder(const HybonetOptions& options, int64_t features, int64_t graph_layers, const nn::Build& build,
                 const std::string& name = "encoder");

  torch::Tensor embed(const tensor::Rows& features, const std::shared_ptr<const tensor::CsrMatrix>& adjacency,
                      const nn::Pass& pass) override;
  int64_t embedding_size() const override { return dim_; }

 private:
  int64_t features_, dim_;
  torch::nn::ModuleList layers_;
};

}  // namespace sst::models
