#include "nn/feed_forward.hpp"

#include "nn/dropout.hpp"

namespace sst::nn {

TransformerFeedForward::TransformerFeedForward(const Options& options, const Build& build, const std::string& name)
    : options_(options), name_(name), activation_(activation(options.activation)) {
  const auto map = [&](const std::string& part, int64_t in, int64_t out) {
    return register_module(part, xavier_linear(build, {.in = in, .out = out, .name = name + "." + part}));
  };
  norm_ = register_module("norm", std::make_shared<LayerNorm>(options.hidden_size, options.norm_eps, build));
  fc1_ = map("fc1", options.hidden_size, options.ffn_size);
  fc2_ = map("fc2", options.ffn_size, options.hidden_size);
}

torch::Tensor TransformerFeedForward::forward(const torch::Tensor& x, const Pass& pass) {
  const bool norm_before = options_.norm_place == NormPlace::kBefore;
  const torch::Tensor in = norm_before ? norm_->forward(x) : x;
  const torch::Tensor inner = activation_(fc1_->forward(in, pass));  // [batch, time, ffn]
  const torch::Tensor y = fc2_->forward(dropout(inner, options_.activation_dropout, pass, name_ + ".fc1"), pass);
  const torch::Tensor sum = x + dropout(y, options_.dropout, pass, name_ + ".fc2");
  return norm_before ? sum : norm_->forward(sum);
}

LorentzFeedForward::LorentzFeedForward(const Options& options, const Build& build, const std::string& name) {
  const auto layer = [&](const std::string& part, const LorentzLinearOptions& layer_options) {
    return register_module(
        part, std::make_shared<LorentzLinear>(translation_linear(layer_options), build, name + "." + part));
  };
  fc1_ = layer("fc1", {.in = options.hidden_size, .out = options.ffn_size, .dropout = options.dropout});
  fc2_ = layer("fc2", {.in = options.ffn_size, .out = options.hidden_size, .relu = true, .dropout = options.dropout});
}

torch::Tensor LorentzFeedForward::forward(const torch::Tensor& x, const Pass& pass) {
  return fc2_->forward_sequences(fc1_->forward_sequences(x, pass), pass, x);
}

}  // namespace sst::nn
