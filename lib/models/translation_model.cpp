#include "models/translation_model.hpp"

#include <fmt/format.h>
#include <torch/nn/modules/container/modulelist.h>

#include "core/error.hpp"
#include "nn/recompute.hpp"
#include "tensor/shape.hpp"

namespace sst::models {
namespace {

torch::Tensor finished(const std::shared_ptr<nn::LayerNorm>& norm, const torch::Tensor& x) {
  return norm ? norm->forward(x) : x;
}

/// f(inputs), kept for backward or computed a second time.
torch::Tensor block(const nn::Pass& pass, const std::vector<torch::Tensor>& inputs,
                    const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& f) {
  return pass.recompute ? nn::recomputed(f, inputs) : f(inputs);
}

}  // namespace

void DecoderState::select(const std::vector<int64_t>& rows) {
  for (nn::KeyValues& layer : self) layer.select(rows);
  std::vector<int64_t> sentences;
  for (size_t row = 0; row < rows.size(); row += static_cast<size_t>(beams)) sentences.push_back(rows[row] / beams);
  for (nn::HeadKeyValues& layer : cross) {
    layer.keys = nn::select_rows(layer.keys, sentences);
    layer.values = nn::select_rows(layer.values, sentences);
  }
  if (padding.defined()) padding = nn::select_rows(padding, sentences);
}

TranslationModel::TranslationModel(const TranslationOptions& options, const TranslationVocabulary& vocabulary,
                                   const TranslationGeometry& geometry, const nn::Build& build)
    : options_(options), vocabulary_(vocabulary) {
  encoder_ = make_side("encoder", geometry, build, nullptr);
  const bool shared = options.tie_embeddings == "all";
  decoder_ = make_side("decoder", geometry, build, shared ? encoder_.embed->words() : nullptr);
  generator_ = register_module("generator", geometry.generator(options, decoder_.embed->words(), build, "generator"));
}

TranslationModel::Side TranslationModel::make_side(const std::string& name, const TranslationGeometry& geometry,
                                                   const nn::Build& build,
                                                   std::shared_ptr<nn::Embedding> shared_words) {
  const bool decodes = name == "decoder";
  const auto parent = register_module(name, std::make_shared<torch::nn::Module>(name));
  Side side;
  side.embed = parent->register_module(
      "embed", geometry.embedding(options_, decodes ? vocabulary_.target_size : vocabulary_.source_size,
                                  decodes ? vocabulary_.target_padding : vocabulary_.source_padding,
                                  std::move(shared_words), build, name + ".embed"));
  const auto list = parent->register_module("layers", std::make_shared<torch::nn::ModuleListImpl>());
  for (int64_t i = 0; i < (decodes ? options_.decoder_layers : options_.encoder_layers); ++i) {
    const std::string full = fmt::format("{}.layers.{}", name, i);
    const auto module = std::make_shared<torch::nn::Module>("layer");
    const auto attention = [&](const std::string& part) {
      return module->register_module(part, geometry.attention(options_, build, full + "." + part));
    };
    Layer layer;
    layer.self = attention("self_attn");
    if (decodes) layer.cross = attention("cross_attn");
    layer.feed_forward = module->register_module("ffn", geometry.feed_forward(options_, build, full + ".ffn"));
    list->push_back(module);
    side.layers.push_back(layer);
  }
  side.norm = geometry.final_norm(options_, build);
  if (side.norm) parent->register_module("norm", side.norm);
  return side;
}

torch::Tensor TranslationModel::embed(Side& side, const torch::Tensor& ids, int64_t first, const nn::Pass& pass) const {
  if (first + ids.size(1) > options_.max_positions)
    throw UserError(fmt::format("a sentence of {} tokens is longer than the model's {} positions", first + ids.size(1),
                                options_.max_positions),
                    "shorten it, or train with a larger 'model.max_positions'");
  return side.embed->forward(ids, first, pass);
}

Encoded TranslationModel::encode(const torch::Tensor& source, const torch::Tensor& lengths, const nn::Pass& pass) {
  tensor::check_shape(source, {tensor::kAny, tensor::kAny}, "source sentences");
  tensor::check_shape(lengths, {source.size(0)}, "source lengths");
  const auto shortest = lengths.min().item<int64_t>();
  if (shortest < 1) throw UserError("a source sentence is empty", "leave out pairs with an empty side");
  Encoded encoded;
  if (shortest < source.size(1))
    encoded.padding = torch::arange(source.size(1), lengths.options()).unsqueeze(0) >= lengths.unsqueeze(1);
  const nn::AttentionMask mask{.padding = encoded.padding};
  torch::Tensor x = embed(encoder_, source, 0, pass);  // [batch, src, hidden]
  for (const Layer& layer : encoder_.layers)
    x = block(pass, {x}, [layer, mask, pass](const std::vector<torch::Tensor>& in) {
      return layer.feed_forward->forward(layer.self->self(in[0], mask, pass), pass);
    });
  encoded.memory = finished(encoder_.norm, x);
  return encoded;
}

torch::Tensor TranslationModel::decode(const torch::Tensor& target, const Encoded& encoded, const nn::Pass& pass) {
  tensor::check_shape(target, {encoded.memory.size(0), tensor::kAny}, "target sentences");
  // Padding lies behind the end, where the causal mask already hides it from every word.
  const nn::AttentionMask own{.causal = true}, memory{.padding = encoded.padding};
  torch::Tensor x = embed(decoder_, target, 0, pass);  // [batch, tgt, hidden]
  for (const Layer& layer : decoder_.layers)
    x = block(pass, {x, encoded.memory}, [layer, own, memory, pass](const std::vector<torch::Tensor>& in) {
      const torch::Tensor y = layer.self->self(in[0], own, pass);
      return layer.feed_forward->forward(layer.cross->cross(y, layer.cross->keys_values(in[1], pass), memory, pass),
                                         pass);
    });
  return finished(decoder_.norm, x);
}

DecoderState TranslationModel::start(const Encoded& encoded, int64_t beams, const nn::Pass& pass) {
  require(!torch::GradMode::is_enabled(), "cached keys and values have no gradient");
  DecoderState state;
  state.beams = beams;
  if (encoded.padding.defined()) state.padding = encoded.padding.clone();  // select() changes it in place
  state.self.resize(decoder_.layers.size());
  for (const Layer& layer : decoder_.layers) state.cross.push_back(layer.cross->keys_values(encoded.memory, pass));
  return state;
}

torch::Tensor TranslationModel::decode_step(const torch::Tensor& words, DecoderState& state, const nn::Pass& pass,
                                            torch::Tensor* first_head) {
  tensor::check_shape(words, {tensor::kAny, state.beams}, "last words of the beams");
  const int64_t sentences = words.size(0), beams = words.size(1), hidden = options_.hidden_size;
  const nn::AttentionMask memory{.padding = state.padding};
  torch::Tensor x = embed(decoder_, words.reshape({-1, 1}), state.length(), pass);  // [sentences · beams, 1, hidden]
  for (size_t i = 0; i < decoder_.layers.size(); ++i) {
    const Layer& layer = decoder_.layers[i];
    const bool last = i + 1 == decoder_.layers.size();
    const torch::Tensor y = layer.self->self(x, {.causal = true}, pass, &state.self[i]);
    // The beams of a sentence look at it side by side, as the words of a text would: its keys exist once.
    const torch::Tensor z = layer.cross->cross(y.view({sentences, beams, hidden}), state.cross[i], memory, pass,
                                               last ? first_head : nullptr);
    x = layer.feed_forward->forward(z.view({-1, 1, hidden}), pass);
  }
  return finished(decoder_.norm, x).view({sentences, beams, hidden});
}

TranslationModel::Predictions TranslationModel::predict(const TranslationBatch& batch, const nn::Pass& pass) {
  const int64_t length = batch.target.size(1) - 1;
  const Encoded encoded = encode(batch.source, batch.source_lengths, pass);
  const torch::Tensor hidden = decode(batch.target.narrow(1, 0, length), encoded, pass);  // [batch, tgt, hidden]
  const torch::Tensor targets = batch.target.narrow(1, 1, length).reshape({-1});
  const torch::Tensor places = (targets != vocabulary_.target_padding).nonzero().squeeze(1);
  return {.hidden = hidden.reshape({-1, hidden.size(2)}).index_select(0, places),
          .targets = targets.index_select(0, places),
          .places = places,
          .length = length};
}

nn::TokenLoss TranslationModel::loss(const TranslationBatch& batch, const TranslationLossOptions& options,
                                     const nn::Pass& pass) {
  const Predictions predictions = predict(batch, pass);
  return generator_->loss(predictions.hidden, predictions.targets,
                          {.compute = pass.compute,
                           .scale = pass.loss_scale,
                           .label_smoothing = options.label_smoothing,
                           .padding = vocabulary_.target_padding},
                          pass);
}

torch::Tensor TranslationModel::log_p(const TranslationBatch& batch, const nn::Pass& pass) {
  const torch::NoGradGuard no_grad;
  const Predictions predictions = predict(batch, pass);
  const torch::Tensor exact =
      scores(predictions.hidden, pass)
          .to(torch::promoteTypes(torch::kFloat32, predictions.hidden.scalar_type()));  // [words, vocabulary]
  const torch::Tensor of_words =
      exact.gather(1, predictions.targets.unsqueeze(1)).squeeze(1) - torch::logsumexp(exact, 1);
  return torch::zeros({batch.target.size(0)}, exact.options().dtype(torch::kFloat64))
      .index_add_(0, predictions.places.floor_divide(predictions.length), of_words.to(torch::kFloat64));
}

}  // namespace sst::models
