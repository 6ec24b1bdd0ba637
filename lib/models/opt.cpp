#include "models/opt.hpp"

#include <fmt/format.h>

#include "models/hf_config.hpp"
#include "nn/activation.hpp"
#include "nn/dropout.hpp"
#include "nn/norm.hpp"
#include "nn/self_attention.hpp"

namespace sst::models {
namespace {

constexpr int64_t kReservedPositions = 2;  ///< rows of the position table in front of position 0

class OptBlock final : public Block {
 public:
  OptBlock(const LanguageModelConfig& config, const nn::Build& build, const std::string& name)
      : name_(name),
        pre_norm_(config.norm == "pre"),
        dropout_(config.dropout),
        activation_(nn::activation(config.activation)) {
    const int64_t hidden = config.hidden_size;
    const auto norm = [&](const std::string& part) {
      return register_module(part, std::make_shared<nn::LayerNorm>(hidden, config.norm_eps, build));
    };
    const auto map = [&](const std::string& part, int64_t in, int64_t out) {
      const nn::LinearSpec spec{.in = in, .out = out, .bias = config.bias, .name = name + "." + part, .in_block = true};
      return register_module(part, nn::normal_linear(build, spec, config.init_std));
    };
    const nn::SelfAttentionOptions attention{
        .hidden_size = hidden,
        .attention = {.heads = config.num_heads, .kv_heads = config.num_heads, .dropout = config.attention_dropout},
        .bias = config.bias,
        .init_std = config.init_std};
    attention_ =
        register_module("self_attn", std::make_shared<nn::SelfAttention>(attention, build, name + ".self_attn"));
    attention_norm_ = norm("self_attn_layer_norm");
    fc1_ = map("fc1", hidden, config.ffn_size);
    fc2_ = map("fc2", config.ffn_size, hidden);
    ffn_norm_ = norm("final_layer_norm");
  }

  torch::Tensor forward(const torch::Tensor& input, const nn::Pass& pass, nn::KeyValues* cache) override {
    const torch::Tensor x = around(input, *attention_norm_, pass, ".self_attn",
                                   [&](const torch::Tensor& y) { return attention_->forward(y, pass, cache); });
    return around(x, *ffn_norm_, pass, ".fc2",
                  [&](const torch::Tensor& y) { return fc2_->forward(activation_(fc1_->forward(y, pass)), pass); });
  }

 private:
  /// x + part(norm(x)), or with the norm behind, norm(x + part(x)).
  template <class Part>
  torch::Tensor around(const torch::Tensor& x, const nn::LayerNorm& norm, const nn::Pass& pass,
                       const std::string& dropout_name, const Part& part) const {
    const torch::Tensor y = nn::dropout(part(pre_norm_ ? norm.forward(x) : x), dropout_, pass, name_ + dropout_name);
    return pre_norm_ ? x + y : norm.forward(x + y);
  }

  std::string name_;
  bool pre_norm_;
  double dropout_;
  nn::Activation activation_;
  std::shared_ptr<nn::SelfAttention> attention_;
  std::shared_ptr<nn::LayerNorm> attention_norm_, ffn_norm_;
  std::shared_ptr<nn::LinearMap> fc1_, fc2_;
};

class Opt final : public LanguageModel {
 public:
  Opt(const LanguageModelConfig& config, const nn::Build& build) : LanguageModel(config) {
    const std::string name = "model.decoder";
    const auto decoder = register_module("model", std::make_shared<torch::nn::Module>("model"))
                             ->register_module("decoder", std::make_shared<torch::nn::Module>("decoder"));
    const auto table = [&](const std::string& part, const nn::EmbeddingOptions& options) {
      return decoder->register_module(part, std::make_shared<nn::Embedding>(options, build, name + "." + part));
    };
    const auto projection = [&](const std::string& part, int64_t in, int64_t out) {
      const nn::LinearSpec spec{.in = in, .out = out, .bias = false, .name = name + "." + part, .in_block = false};
      return decoder->register_module(part, nn::normal_linear(build, spec, config.init_std));
    };
    tokens_ = table("embed_tokens", {.rows = config.vocab_size,
                                     .width = config.embedding_size,
                                     .init_std = config.init_std,
                                     .padding_row = config.pad_id});
    positions_ = table(
        "embed_positions",
        {.rows = config.max_positions + kReservedPositions, .width = config.hidden_size, .init_std = config.init_std});
    if (config.embedding_size != config.hidden_size) {
      project_in_ = projection("project_in", config.embedding_size, config.hidden_size);
      project_out_ = projection("project_out", config.hidden_size, config.embedding_size);
    }
    add_blocks(*decoder, "layers", name + ".layers",
               [&](const std::string& block) { return std::make_shared<OptBlock>(config, build, block); });
    if (config.norm == "pre")
      final_norm_ = decoder->register_module(
          "final_layer_norm", std::make_shared<nn::LayerNorm>(config.hidden_size, config.norm_eps, build));
    add_output_layer(build);
  }

 protected:
  torch::Tensor embed(const torch::Tensor& ids, int64_t first, const nn::Pass& pass) override {
    const torch::Tensor x = tokens_->forward(ids);
    const torch::Tensor places = torch::arange(ids.size(1), ids.options()) + (first + kReservedPositions);
    return (project_in_ ? project_in_->forward(x, pass) : x) + positions_->forward(places);
  }

  torch::Tensor finish(const torch::Tensor& x, const nn::Pass& pass) override {
    const torch::Tensor y = final_norm_ ? final_norm_->forward(x) : x;
    return project_out_ ? project_out_->forward(y, pass) : y;
  }

 private:
  std::shared_ptr<nn::Embedding> positions_;
  std::shared_ptr<nn::LinearMap> project_in_, project_out_;
  std::shared_ptr<nn::LayerNorm> final_norm_;
};

void check_opt(const LanguageModelConfig& config) {
  require_value(config, "num_kv_heads", config.num_kv_heads, config.num_heads);
  require_value(config, "norm_eps", fmt::format("{}", config.norm_eps), "1e-05");
}

LanguageModelConfig read_opt(const HfConfig& hf) {
  LanguageModelConfig config = opt_family().defaults;
  hf.expect("layer_norm_elementwise_affine", true);
  hf.expect("layerdrop", 0.0);
  const bool pre_norm = hf.boolean("do_layer_norm_before", true);
  if (pre_norm) hf.expect("_remove_final_layer_norm", false);
  config.vocab_size = hf.integer("vocab_size", config.vocab_size);
  config.hidden_size = hf.integer("hidden_size", 768);
  config.num_layers = hf.integer("num_hidden_layers", 12);
  config.num_heads = config.num_kv_heads = hf.integer("num_attention_heads", 12);
  config.ffn_size = hf.integer("ffn_dim", 3072);
  config.embedding_size = hf.integer("word_embed_proj_dim", config.hidden_size);
  config.max_positions = hf.integer("max_position_embeddings", config.max_positions);
  config.norm = pre_norm ? "pre" : "post";
  config.activation = hf.activation("activation_function", config.activation);
  config.bias = hf.boolean("enable_bias", true);
  config.dropout = hf.number("dropout", 0.1);
  config.attention_dropout = hf.number("attention_dropout", 0);
  config.init_std = hf.number("init_std", config.init_std);
  config.tie_embeddings = hf.boolean("tie_word_embeddings", true);
  config.pad_id = hf.token("pad_token_id", config.pad_id);
  config.bos_id = hf.token("bos_token_id", config.bos_id);
  config.eos_id = hf.token("eos_token_id", config.eos_id);
  return config;
}

nlohmann::ordered_json write_opt(const LanguageModelConfig& config) {
  return {{"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"num_hidden_layers", config.num_layers},
          {"num_attention_heads", config.num_heads},
          {"ffn_dim", config.ffn_size},
          {"word_embed_proj_dim", config.embedding_size},
          {"max_position_embeddings", config.max_positions},
          {"do_layer_norm_before", config.norm == "pre"},
          {"_remove_final_layer_norm", false},
          {"activation_function", hf_activation(config.activation)},
          {"enable_bias", config.bias},
          {"layer_norm_elementwise_affine", true},
          {"dropout", config.dropout},
          {"attention_dropout", config.attention_dropout},
          {"layerdrop", 0.0},
          {"init_std", config.init_std},
          {"pad_token_id", hf_token(config.pad_id, config)},
          {"bos_token_id", hf_token(config.bos_id, config)},
          {"eos_token_id", hf_token(config.eos_id, config)}};
}

}  // namespace

LanguageModelFamily opt_family() {
  return {.doc = "OPT: learned positions, ReLU, layer norm",
          .defaults = {.family = "opt",
                       .vocab_size = 50272,
                       .max_positions = 2048,
                       .activation = "relu",
                       .pad_id = 1,
                       .bos_id = 2,
                       .eos_id = 2},
          .presets = {{"opt-125m", 768, 3072, 12, 12},
                      {"opt-350m", 1024, 4096, 24, 16, 512, "post"},
                      {"opt-1.3b", 2048, 8192, 24, 32},
                      {"opt-2.7b", 2560, 10240, 32, 32},
                      {"opt-6.7b", 4096, 16384, 32, 32}},
          .check = check_opt,
          .make = [](const LanguageModelConfig& config,
                     const nn::Build& build) { return std::make_shared<Opt>(config, build); },
          .hf = {.architecture = "OPTForCausalLM",
                 .base_prefix = "model.",
                 .transposed = {},
                 .ignored = {},
                 .embedding = "model.decoder.embed_tokens.weight",
                 .read = read_opt,
                 .write = write_opt}};
}

}  // namespace sst::models
