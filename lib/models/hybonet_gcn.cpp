#include "models/hybonet_gcn.hpp"

#include "core/error.hpp"
#include "tensor/shape.hpp"

namespace sst::models {
namespace {

class HybonetLayer final : public torch::nn::Module {
 public:
  HybonetLayer(const nn::LorentzLinearOptions& options, bool attention, const nn::Build& build,
               const std::string& name) {
    linear_ = register_module("linear", std::make_shared<nn::LorentzLinear>(options, build, name + ".linear"));
    if (attention)
      attention_ = register_module("agg", std::make_shared<nn::LorentzAttention>(options.out, build, name + ".agg"));
  }

  torch::Tensor forward(const tensor::Rows& x, const std::shared_ptr<const tensor::CsrMatrix>& adjacency,
                        const nn::Pass& pass) {
    const torch::Tensor h = linear_->forward(x, pass);  // [nodes, dim]
    return attention_ ? attention_->forward(adjacency, h, pass) : nn::lorentz_aggregate(adjacency, h);
  }

 private:
  std::shared_ptr<nn::LorentzLinear> linear_;
  std::shared_ptr<nn::LorentzAttention> attention_;
};

}  // namespace

HybonetEncoder::HybonetEncoder(const HybonetOptions& options, int64_t features, int64_t graph_layers,
                               const nn::Build& build, const std::string& name)
    : features_(features), dim_(options.hidden_size) {
  if (graph_layers < 1)
    throw UserError("'model.num_layers' is " + std::to_string(options.num_layers) + ", which leaves no graph layer",
                    "node classification counts its head as a layer: give at least 2");
  register_module("layers", layers_);
  for (int64_t i = 0; i < graph_layers; ++i) {
    const nn::LorentzLinearOptions layer{.in = i == 0 ? features : dim_,
                                         .out = dim_,
                                         .bias = options.bias,
                                         .relu = i > 0 && options.activation == "relu",
                                         .dropout = options.dropout};
    layers_->push_back(
        std::make_shared<HybonetLayer>(layer, options.use_att, build, name + ".layers." + std::to_string(i)));
  }
}

torch::Tensor HybonetEncoder::embed(const tensor::Rows& features,
                                    const std::shared_ptr<const tensor::CsrMatrix>& adjacency, const nn::Pass& pass) {
  require(features.cols() == features_, "the encoder was made for another number of features");
  tensor::Rows x = features;
  for (const auto& layer : *layers_) x = layer->as<HybonetLayer>()->forward(x, adjacency, pass);
  return x.dense();  // [nodes, dim]
}

}  // namespace sst::models
