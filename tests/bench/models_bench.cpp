// Translation models with IWSLT'14's vocabularies: a training step of 64 sentence pairs of 25 to 32 words (forward,
// backward, clipping, optimizer), and a beam search of 64 sentences, 25 words each. Width 256 with 3 + 3 layers on one
// thread; the papers' 6 + 6 layers, hyperbolic of width 64 and Euclidean of 512, on all threads: mt_step.py has their
// peers.

#include "models/beam_search.hpp"
#include "models/translation_registry.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/riemannian_adam.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

constexpr int64_t kSentences = 64, kLongest = 32, kSourceWords = 6632, kTargetWords = 8848;

struct Shape {
  std::string geometry;
  int64_t hidden_size = 256, heads = 4, layers = 3;
};

std::shared_ptr<models::TranslationModel> translator(const Shape& shape) {
  models::TranslationOptions options;
  options.geometry = shape.geometry;
  options.hidden_size = shape.hidden_size;
  options.num_heads = shape.heads;
  options.encoder_layers = options.decoder_layers = shape.layers;
  options.dropout = options.attention_dropout = 0.1;
  return models::make_translation_model(options, {.source_size = kSourceWords, .target_size = kTargetWords},
                                        {.seed = 1});
}

models::TranslationBatch sentence_pairs() {
  const torch::Tensor place = torch::arange(kLongest), row = torch::arange(kSentences).unsqueeze(1);
  const torch::Tensor lengths = kLongest - torch::arange(kSentences).floor_divide(8),
                      words = 4 + (row * 131 + place * 37) % 6000;
  const torch::Tensor padded = torch::where(place < lengths.unsqueeze(1), words, torch::ones_like(words));
  return {.source = padded,
          .source_lengths = lengths,
          .target = torch::cat({torch::full({kSentences, 1}, 2), padded}, 1).contiguous()};
}

optim::Optimizer optimizer_of(const models::TranslationModel& model) {
  optim::Optimizer optimizer(std::make_unique<optim::RiemannianAdam>(optim::AdamOptions{}), 0);
  const auto points = models::lorentz_parameters(model.options());
  for (const auto& [name, tensor] : nn::trainable_tensors(model))
    optimizer.add({.name = name,
                   .tensor = tensor,
                   .geometry = std::find(points.begin(), points.end(), name) != points.end()
                                   ? optim::Geometry::kLorentz
                                   : optim::Geometry::kEuclidean});
  return optimizer;
}

void translation_step(benchmark::State& state, const Shape& shape) {
  const auto model = translator(shape);
  optim::Optimizer optimizer = optimizer_of(*model);
  const auto batch = sentence_pairs();
  int64_t step = 0, parameters = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(*model)) parameters += tensor.numel();
  const auto target_tokens = batch.source_lengths.sum().item<double>();
  state.counters["parameters"] = static_cast<double>(parameters);
  state.counters["target_tokens"] = target_tokens;
  for (auto _ : state) {
    optimizer.zero_grad();
    const double scale = 1 / target_tokens;
    const nn::Pass pass{.training = true, .seed = 1, .step = step++, .loss_scale = scale};
    (model->loss(batch, {.label_smoothing = 0.1}, pass).sum * scale).backward();
    optim::clip_gradients_(optimizer.parameters(), 0.5);
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
  }
}

void translation_beam(benchmark::State& state, const std::string& geometry, int64_t beam) {
  const Threads one(1);
  const auto model = translator({.geometry = geometry});
  const auto batch = sentence_pairs();
  std::vector<std::vector<int64_t>> sources;
  for (int64_t i = 0; i < kSentences; ++i) {
    const auto* const ids = batch.source[i].const_data_ptr<int64_t>();
    sources.emplace_back(ids, ids + batch.source_lengths[i].item<int64_t>());
  }
  models::BeamOptions options;
  options.beam_size = beam;
  options.max_len_a = 0;
  options.min_length = options.max_len_b = 25;
  for (auto _ : state) benchmark::DoNotOptimize(models::translate(*model, sources, options));
}

const bool translations_registered = [] {
  for (const std::string geometry : {"euclidean", "lorentz"}) {
    benchmark::RegisterBenchmark(("translation_step/" + geometry).c_str(), [geometry](benchmark::State& state) {
      const Threads one(1);
      translation_step(state, {.geometry = geometry});
    })->Apply(measured_briefly);
    for (const int64_t beam : {1, 4})
      benchmark::RegisterBenchmark(
          ("translation_beam/" + geometry + "/" + std::to_string(beam)).c_str(),
          [geometry, beam](benchmark::State& state) { translation_beam(state, geometry, beam); })
          ->Apply(measured_briefly);
  }
  beside("translation_step/lorentz", "translation_step/euclidean");
  for (const auto& [name, shape] :
       {std::pair<std::string, Shape>{"lorentz_64",
                                      {.geometry = "lorentz", .hidden_size = 64, .heads = 4, .layers = 6}},
        {"euclidean_512", {.geometry = "euclidean", .hidden_size = 512, .heads = 8, .layers = 6}}})
    benchmark::RegisterBenchmark(("translation_step/" + name).c_str(), [shape = shape](benchmark::State& state) {
      translation_step(state, shape);
    })->Apply(measured_briefly);
  return true;
}();

}  // namespace
}  // namespace sst::bench
