// Translation models of width 256 with 3 + 3 layers and IWSLT'14's vocabularies, on one thread: a training step of 64
// sentence pairs of 24 to 32 words (forward, backward, clipping, optimizer), and a beam search of 64 sentences, 25 words
// each.

#include "models/beam_search.hpp"
#include "models/translation_registry.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/riemannian_adam.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

constexpr int64_t kSentences = 64, kLongest = 32, kSourceWords = 6632, kTargetWords = 8848;

std::shared_ptr<models::TranslationModel> translator(const std::string& geometry) {
  models::TranslationOptions options;
  options.geometry = geometry;
  options.hidden_size = 256;
  options.num_heads = 4;
  options.encoder_layers = options.decoder_layers = 3;
  options.dropout = options.attention_dropout = 0.1;
  return models::make_translation_model(options, {.source_size = kSourceWords, .target_size = kTargetWords},
                                        {.seed = 1});
}

models::TranslationBatch sentence_pairs() {
  const torch::Tensor place = torch::arange(kLongest), row = torch::arange(kSentences).unsqueeze(1);
  const torch::Tensor lengths = kLongest - torch::arange(kSentences) / 8, words = 4 + (row * 131 + place * 37) % 6000;
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

void translation_step(benchmark::State& state, const std::string& geometry) {
  const Threads one(1);
  const auto model = translator(geometry);
  optim::Optimizer optimizer = optimizer_of(*model);
  const auto batch = sentence_pairs();
  int64_t step = 0;
  for (auto _ : state) {
    optimizer.zero_grad();
    const double scale = 1.0 / (kSentences * kLongest);
    const nn::Pass pass{.training = true, .seed = 1, .step = step++, .loss_scale = scale};
    (model->loss(batch, {.label_smoothing = 0.1}, pass).sum * scale).backward();
    optim::clip_gradients_(optimizer.parameters(), 0.5);
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
  }
}

void translation_beam(benchmark::State& state, const std::string& geometry, int64_t beam) {
  const Threads one(1);
  const auto model = translator(geometry);
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
      translation_step(state, geometry);
    })->Apply(measured_briefly);
    for (const int64_t beam : {1, 4})
      benchmark::RegisterBenchmark(
          ("translation_beam/" + geometry + "/" + std::to_string(beam)).c_str(),
          [geometry, beam](benchmark::State& state) { translation_beam(state, geometry, beam); })
          ->Apply(measured_briefly);
  }
  beside("translation_step/lorentz", "translation_step/euclidean");
  return true;
}();

}  // namespace
}  // namespace sst::bench
