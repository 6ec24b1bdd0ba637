#include "models/gpt2.hpp"

#include <cmath>

#include "models/hf_config.hpp"
#include "nn/activation.hpp"
#include "nn/dropout.hpp"
#include "nn/norm.hpp"

namespace sst::models {
namespace {

/// The maps of a block ask for their weights here: those that write to the residual stream start smaller.
std::shared_ptr<nn::LinearMap> gpt2_map(const LanguageModelConfig& config, const nn::Build& build,
                                        const std::string& name, int64_t in, int64_t out, bool to_residual) {
  const double shrink = to_residual ? std::sqrt(2 * static_cast<double>(config.num_layers)) : 1;
  return nn::normal_linear(build, {.in = in, .out = out, .bias = config.bias, .name = name, .in_block = true},
                           config.init_std / shrink);
}

class Gpt2Attention final : public torch::nn::Module {
 public:
  Gpt2Attention(const LanguageModelConfig& config, const nn::Build& build, const std::string& name)
      : options_{.heads = config.num_heads, .kv_heads = config.num_heads, .dropout = config.attention_dropout},
        name_(name) {
    const int64_t hidden = config.hidden_size;
    qkv_ = register_module("c_attn", gpt2_map(config, build, name + ".c_attn", hidden, 3 * hidden, false));
    out_ = register_module("c_proj", gpt2_map(config, build, name + ".c_proj", hidden, hidden, true));
  }

  torch::Tensor forward(const torch::Tensor& x, const nn::Pass& pass, nn::KeyValues* cache) {
    const auto qkv = qkv_->forward(x, pass).chunk(3, -1);
    return out_->forward(nn::causal_attention(qkv[0], qkv[1], qkv[2], options_, pass, name_, cache), pass);
  }

 private:
  nn::AttentionOptions options_;
  std::string name_;
  std::shared_ptr<nn::LinearMap> qkv_, out_;
};

class Gpt2Mlp final : public torch::nn::Module {
 public:
  Gpt2Mlp(const LanguageModelConfig& config, const nn::Build& build, const std::string& name)
      : activation_(nn::activation(config.activation)) {
    in_ = register_module("c_fc", gpt2_map(config, build, name + ".c_fc", config.hidden_size, config.ffn_size, false));
    out_ =
        register_module("c_proj", gpt2_map(config, build, name + ".c_proj", config.ffn_size, config.hidden_size, true));
  }

  torch::Tensor forward(const torch::Tensor& x, const nn::Pass& pass) {
    return out_->forward(activation_(in_->forward(x, pass)), pass);
  }

 private:
  nn::Activation activation_;
  std::shared_ptr<nn::LinearMap> in_, out_;
};

class Gpt2Block final : public Block {
 public:
  Gpt2Block(const LanguageModelConfig& config, const nn::Build& build, const std::string& name)
      : name_(name), dropout_(config.dropout) {
    const auto norm = [&](const std::string& part) {
      return register_module(part,
                             std::make_shared<nn::LayerNorm>(config.hidden_size, config.norm_eps, build, config.bias));
    };
    attention_norm_ = norm("ln_1");
    attention_ = register_module("attn", std::make_shared<Gpt2Attention>(config, build, name + ".attn"));
    mlp_norm_ = norm("ln_2");
    mlp_ = register_module("mlp", std::make_shared<Gpt2Mlp>(config, build, name + ".mlp"));
  }

  torch::Tensor forward(const torch::Tensor& input, const nn::Pass& pass, nn::KeyValues* cache) override {
    const torch::Tensor x = input + nn::dropout(attention_->forward(attention_norm_->forward(input), pass, cache),
                                                dropout_, pass, name_ + ".attn.c_proj");
    return x + nn::dropout(mlp_->forward(mlp_norm_->forward(x), pass), dropout_, pass, name_ + ".mlp");
  }

 private:
  std::string name_;
  double dropout_;
  std::shared_ptr<nn::LayerNorm> attention_norm_, mlp_norm_;
  std::shared_ptr<Gpt2Attention> attention_;
  std::shared_ptr<Gpt2Mlp> mlp_;
};

class Gpt2 final : public LanguageModel {
 public:
  Gpt2(const LanguageModelConfig& config, const nn::Build& build) : LanguageModel(config) {
    const auto base = register_module("transformer", std::make_shared<torch::nn::Module>("transformer"));
    const auto table = [&](const std::string& part, int64_t rows) {
      const nn::EmbeddingOptions options{.rows = rows, .width = config.hidden_size, .init_std = config.init_std};
      return base->register_module(part, std::make_shared<nn::Embedding>(options, build, "transformer." + part));
    };
    tokens_ = table("wte", config.vocab_size);
    positions_ = table("wpe", config.max_positions);
    add_blocks(*base, "h", "transformer.h",
               [&](const std::string& block) { return std::make_shared<Gpt2Block>(config, build, block); });
    final_norm_ = base->register_module(
        "ln_f", std::make_shared<nn::LayerNorm>(config.hidden_size, config.norm_eps, build, config.bias));
    add_output_layer(build);
  }

 protected:
  torch::Tensor embed(const torch::Tensor& ids, int64_t first, const nn::Pass& pass) override {
    const torch::Tensor places = torch::arange(ids.size(1), ids.options()) + first;
    return nn::dropout(tokens_->forward(ids) + positions_->forward(places), config_.dropout, pass, "transformer.wte");
  }

  torch::Tensor finish(const torch::Tensor& x, const nn::Pass&) override { return final_norm_->forward(x); }

 private:
  std::shared_ptr<nn::Embedding> positions_;
  std::shared_ptr<nn::LayerNorm> final_norm_;
};

void check_gpt2(const LanguageModelConfig& config) {
  require_value(config, "num_kv_heads", config.num_kv_heads, config.num_heads);
  require_value(config, "embedding_size", config.embedding_size, config.hidden_size);
  require_value(config, "norm", config.norm, "pre");
}

LanguageModelConfig read_gpt2(const HfConfig& hf) {
  LanguageModelConfig config = gpt2_family().defaults;
  hf.expect("scale_attn_weights", true);
  hf.expect("scale_attn_by_inverse_layer_idx", false);
  hf.expect("add_cross_attention", false);
  config.vocab_size = hf.integer("vocab_size", config.vocab_size);
  config.max_positions = hf.integer("n_positions", config.max_positions);
  config.hidden_size = config.embedding_size = hf.integer("n_embd", 768);
  config.num_layers = hf.integer("n_layer", 12);
  config.num_heads = config.num_kv_heads = hf.integer("n_head", 12);
  config.ffn_size = hf.integer("n_inner", 4 * config.hidden_size);
  config.activation = hf.activation("activation_function", config.activation);
  config.dropout = hf.number("resid_pdrop", 0.1);
  if (hf.number("embd_pdrop", 0.1) != config.dropout) hf.refuse("embd_pdrop", "the value of 'resid_pdrop'");
  config.attention_dropout = hf.number("attn_pdrop", 0.1);
  config.norm_eps = hf.number("layer_norm_epsilon", config.norm_eps);
  config.init_std = hf.number("initializer_range", config.init_std);
  config.tie_embeddings = hf.boolean("tie_word_embeddings", true);
  config.bos_id = hf.token("bos_token_id", config.bos_id);
  config.eos_id = hf.token("eos_token_id", config.eos_id);
  return config;
}

nlohmann::ordered_json write_gpt2(const LanguageModelConfig& config) {
  return {{"vocab_size", config.vocab_size},
          {"n_positions", config.max_positions},
          {"n_embd", config.hidden_size},
          {"n_layer", config.num_layers},
          {"n_head", config.num_heads},
          {"n_inner", config.ffn_size},
          {"activation_function", hf_activation(config.activation)},
          {"resid_pdrop", config.dropout},
          {"embd_pdrop", config.dropout},
          {"attn_pdrop", config.attention_dropout},
          {"layer_norm_epsilon", config.norm_eps},
          {"initializer_range", config.init_std},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false},
          {"reorder_and_upcast_attn", false},
          {"bos_token_id", hf_token(config.bos_id, config)},
          {"eos_token_id", hf_token(config.eos_id, config)}};
}

}  // namespace

LanguageModelFamily gpt2_family() {
  return {.doc = "GPT-2: learned positions, GELU, layer norm",
          .defaults = {.family = "gpt2",
                       .vocab_size = 50257,
                       .max_positions = 1024,
                       .activation = "gelu_tanh",
                       .bos_id = 50256,
                       .eos_id = 50256},
          .presets = {{"gpt2-124m", 768, 3072, 12, 12},
                      {"gpt2-355m", 1024, 4096, 24, 16},
                      {"gpt2-774m", 1280, 5120, 36, 20},
                      {"gpt2-1.6b", 1600, 6400, 48, 25}},
          .check = check_gpt2,
          .make = [](const LanguageModelConfig& config,
                     const nn::Build& build) { return std::make_shared<Gpt2>(config, build); },
          .hf = {.architecture = "GPT2LMHeadModel",
                 .base_prefix = "transformer.",
                 .transposed = {"*.c_attn.weight", "*.c_proj.weight", "*.c_fc.weight"},
                 .ignored = {"*.attn.bias", "*.attn.masked_bias"},
                 .always_bias = true,
                 .embedding = "transformer.wte.weight",
                 .read = read_gpt2,
                 .write = write_gpt2}};
}

}  // namespace sst::models
