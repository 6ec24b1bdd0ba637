#include "models/llama.hpp"

#include "core/error.hpp"
#include "models/hf_config.hpp"
#include "nn/activation.hpp"
#include "nn/compute.hpp"
#include "nn/dropout.hpp"
#include "nn/norm.hpp"
#include "nn/rotary.hpp"
#include "nn/self_attention.hpp"

namespace sst::models {
namespace {

constexpr const char* kLlamaTokenizer = R"({
  "tokenizer_class": "LlamaTokenizer",
  "add_bos_token": true,
  "bos_token": "<s>",
  "eos_token": "</s>",
  "unk_token": "<unk>",
  "legacy": false
}
)";

/// down(act(gate(x)) ∘ up(x)).
class LlamaMlp final : public torch::nn::Module {
 public:
  LlamaMlp(const LanguageModelConfig& config, const nn::Build& build, const std::string& name)
      : activation_(nn::activation(config.activation)) {
    const auto map = [&](const std::string& part, int64_t in, int64_t out) {
      const nn::LinearSpec spec{.in = in, .out = out, .bias = config.bias, .name = name + "." + part, .in_block = true};
      return register_module(part, nn::normal_linear(build, spec, config.init_std));
    };
    gate_ = map("gate_proj", config.hidden_size, config.ffn_size);
    up_ = map("up_proj", config.hidden_size, config.ffn_size);
    down_ = map("down_proj", config.ffn_size, config.hidden_size);
  }

  torch::Tensor forward(const torch::Tensor& x, const nn::Pass& pass) {
    const torch::Tensor in = nn::in_compute_type(x, pass);  // once for both maps
    return down_->forward(activation_(gate_->forward(in, pass)) * up_->forward(in, pass), pass);
  }

 private:
  nn::Activation activation_;
  std::shared_ptr<nn::LinearMap> gate_, up_, down_;
};

class LlamaBlock final : public Block {
 public:
  LlamaBlock(const LanguageModelConfig& config, const std::shared_ptr<const nn::Rotary>& rotary, const nn::Build& build,
             const std::string& name)
      : name_(name), dropout_(config.dropout) {
    const auto norm = [&](const std::string& part) {
      return register_module(part, std::make_shared<nn::RmsNorm>(config.hidden_size, config.norm_eps, build));
    };
    const nn::SelfAttentionOptions attention{.hidden_size = config.hidden_size,
                                             .attention = {.heads = config.num_heads,
                                                           .kv_heads = config.num_kv_heads,
                                                           .dropout = config.attention_dropout,
                                                           .rotary = rotary},
                                             .bias = config.bias,
                                             .out_name = "o_proj",
                                             .init_std = config.init_std};
    attention_ =
        register_module("self_attn", std::make_shared<nn::SelfAttention>(attention, build, name + ".self_attn"));
    mlp_ = register_module("mlp", std::make_shared<LlamaMlp>(config, build, name + ".mlp"));
    attention_norm_ = norm("input_layernorm");
    mlp_norm_ = norm("post_attention_layernorm");
  }

  torch::Tensor forward(const torch::Tensor& input, const nn::Pass& pass, nn::KeyValues* cache) override {
    const torch::Tensor x = input + nn::dropout(attention_->forward(attention_norm_->forward(input), pass, cache),
                                                dropout_, pass, name_ + ".self_attn");
    return x + nn::dropout(mlp_->forward(mlp_norm_->forward(x), pass), dropout_, pass, name_ + ".mlp");
  }

 private:
  std::string name_;
  double dropout_;
  std::shared_ptr<nn::SelfAttention> attention_;
  std::shared_ptr<LlamaMlp> mlp_;
  std::shared_ptr<nn::RmsNorm> attention_norm_, mlp_norm_;
};

class Llama final : public LanguageModel {
 public:
  Llama(const LanguageModelConfig& config, const nn::Build& build) : LanguageModel(config) {
    const auto base = register_module("model", std::make_shared<torch::nn::Module>("model"));
    const auto rotary =
        std::make_shared<const nn::Rotary>(config.max_positions, config.head_dim(), config.rope_theta, build.tensors);
    const nn::EmbeddingOptions table{
        .rows = config.vocab_size, .width = config.hidden_size, .init_std = config.init_std};
    tokens_ =
        base->register_module("embed_tokens", std::make_shared<nn::Embedding>(table, build, "model.embed_tokens"));
    add_blocks(*base, "layers", "model.layers",
               [&](const std::string& block) { return std::make_shared<LlamaBlock>(config, rotary, build, block); });
    final_norm_ =
        base->register_module("norm", std::make_shared<nn::RmsNorm>(config.hidden_size, config.norm_eps, build));
    add_output_layer(build);
  }

 protected:
  torch::Tensor embed(const torch::Tensor& ids, int64_t /*first*/, const nn::Pass&) override {
    return tokens_->forward(ids);
  }
  torch::Tensor finish(const torch::Tensor& x, const nn::Pass&) override { return final_norm_->forward(x); }

 private:
  std::shared_ptr<nn::RmsNorm> final_norm_;
};

void check_llama(const LanguageModelConfig& config) {
  require_value(config, "embedding_size", config.embedding_size, config.hidden_size);
  require_value(config, "norm", config.norm, "pre");
  if (config.head_dim() % 2 != 0)
    throw UserError("'model.hidden_size' / 'model.num_heads' is " + std::to_string(config.head_dim()) +
                    ", but the rotary embedding pairs the entries of a head: it must be even");
}

/// Rotary base of either version of Hugging Face's configuration; scaled rotations are refused.
double read_rope_theta(const HfConfig& hf) {
  double theta = hf.number("rope_theta", 10000);
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {
    const nlohmann::json rope = hf.object(key);
    for (const std::string type : {"rope_type", "type"})
      if (rope.contains(type) && rope.at(type) != "default") hf.refuse(key, "a rotary embedding of type \"default\"");
    if (!rope.contains("rope_theta")) continue;
    if (!rope.at("rope_theta").is_number()) hf.refuse(key, "a number as its 'rope_theta'");
    theta = rope.at("rope_theta").get<double>();
  }
  return theta;
}

LanguageModelConfig read_llama(const HfConfig& hf) {
  LanguageModelConfig config = llama_family().defaults;
  config.vocab_size = hf.integer("vocab_size", config.vocab_size);
  config.hidden_size = config.embedding_size = hf.integer("hidden_size", 4096);
  config.ffn_size = hf.integer("intermediate_size", 11008);
  config.num_layers = hf.integer("num_hidden_layers", 32);
  config.num_heads = hf.integer("num_attention_heads", 32);
  config.num_kv_heads = hf.integer("num_key_value_heads", config.num_heads);
  if (config.num_heads > 0) hf.expect("head_dim", config.hidden_size / config.num_heads);
  config.activation = hf.activation("hidden_act", config.activation);
  config.max_positions = hf.integer("max_position_embeddings", config.max_positions);
  config.norm_eps = hf.number("rms_norm_eps", config.norm_eps);
  config.rope_theta = read_rope_theta(hf);
  config.bias = hf.boolean("attention_bias", false);
  if (hf.boolean("mlp_bias", false) != config.bias) hf.refuse("mlp_bias", "the value of 'attention_bias'");
  config.attention_dropout = hf.number("attention_dropout", 0);
  config.init_std = hf.number("initializer_range", config.init_std);
  config.tie_embeddings = hf.boolean("tie_word_embeddings", false);
  config.pad_id = hf.token("pad_token_id", config.pad_id);
  config.bos_id = hf.token("bos_token_id", config.bos_id);
  config.eos_id = hf.token("eos_token_id", config.eos_id);
  return config;
}

nlohmann::ordered_json write_llama(const LanguageModelConfig& config) {
  return {{"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.ffn_size},
          {"num_hidden_layers", config.num_layers},
          {"num_attention_heads", config.num_heads},
          {"num_key_value_heads", config.num_kv_heads},
          {"head_dim", config.head_dim()},
          {"hidden_act", hf_activation(config.activation)},
          {"max_position_embeddings", config.max_positions},
          {"rms_norm_eps", config.norm_eps},
          // Version 4 of transformers reads the first, version 5 the second; each takes 10000 where its own is missing.
          {"rope_theta", config.rope_theta},
          {"rope_parameters", {{"rope_theta", config.rope_theta}, {"rope_type", "default"}}},
          {"rope_scaling", nullptr},
          {"attention_bias", config.bias},
          {"mlp_bias", config.bias},
          {"attention_dropout", config.attention_dropout},
          {"initializer_range", config.init_std},
          {"pad_token_id", hf_token(config.pad_id, config)},
          {"bos_token_id", hf_token(config.bos_id, config)},
          {"eos_token_id", hf_token(config.eos_id, config)}};
}

}  // namespace

LanguageModelFamily llama_family() {
  return {.doc = "LLaMA: rotary positions, gated SiLU, RMS norm",
          .defaults = {.family = "llama",
                       .vocab_size = 32000,
                       .max_positions = 2048,
                       .norm_eps = 1e-6,
                       .activation = "silu",
                       .tie_embeddings = false,
                       .bias = false,
                       .bos_id = 1,
                       .eos_id = 2},
          .presets = {{"llama-60m", 512, 1376, 8, 8},
                      {"llama-130m", 768, 2048, 12, 12},
                      {"llama-350m", 1024, 2736, 24, 16},
                      {"llama-1b", 2048, 5461, 24, 32},
                      {"llama-1.3b", 2048, 5461, 24, 32},  // the SST paper's name for the same sizes
                      {"llama-7b", 4096, 11008, 32, 32}},
          .check = check_llama,
          .make = [](const LanguageModelConfig& config,
                     const nn::Build& build) { return std::make_shared<Llama>(config, build); },
          .hf = {.architecture = "LlamaForCausalLM",
                 .base_prefix = "model.",
                 .transposed = {},
                 .ignored = {"*.rotary_emb.inv_freq"},
                 .embedding = "model.embed_tokens.weight",
                 .tokenizer_config = kLlamaTokenizer,
                 .read = read_llama,
                 .write = write_llama}};
}

}  // namespace sst::models
