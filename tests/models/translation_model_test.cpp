#include "models/translation_model.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "methods/lora.hpp"
#include "methods/sst.hpp"
#include "models/translation_registry.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/riemannian_adam.hpp"
#include "optim/schedule.hpp"
#include "tensor/lorentz.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mt_vectors.hpp"
#include "tests/support/set_tensors.hpp"

namespace sst::models {
namespace {

using nlohmann::json;
using testing::close;
using testing::kModelTolerance;
using testing::mt_tensor;
using testing::mt_vectors;
using torch::Tensor;

std::string any_geometry() { return GENERATE(from_range(translation_geometries())); }

const char* group_of(const std::string& geometry) { return geometry == "lorentz" ? "hyperbolic" : "euclidean"; }

bool reference_agrees(const Tensor& ours, const Tensor& reference) {
  return close(ours, reference, kModelTolerance, kModelTolerance);
}

/// A bias of the keys, and the scalar added to all scores: the softmax does not see them.
bool is_rounding_noise(const std::string& name) { return name.ends_with("k_proj.bias") || name.ends_with("attn.bias"); }

constexpr TranslationVocabulary kEightWords{.source_size = 8, .target_size = 8};

TranslationOptions tiny_options(const std::string& geometry) {
  TranslationOptions options;
  options.geometry = geometry;
  options.hidden_size = 8;
  options.ffn_size = 8;
  options.encoder_layers = options.decoder_layers = 2;
  options.num_heads = 2;
  options.max_positions = 8;
  return options;
}

/// A model of the reference with its weights, and its batch.
struct Reference {
  explicit Reference(const std::string& geometry, const json& vectors)
      : content(vectors.at(group_of(geometry)).at("whole_model")),
        model(make_translation_model(tiny_options(geometry), kEightWords, {.tensors = torch::kFloat64})),
        batch{.source = mt_tensor(content.at("src")).t().contiguous(),
              .source_lengths = mt_tensor(content.at("lengths")),
              .target = mt_tensor(content.at("tgt")).t().contiguous()} {
    testing::set_tensors(*model, testing::mt_tensors(content.at("parameters")));
  }
  Tensor input() const { return batch.target.narrow(1, 0, batch.target.size(1) - 1); }
  /// A tensor [time, batch, ...] of the reference as rows of the positions that hold a word.
  Tensor words_of(const std::string& name, const Tensor& ids) const {
    return mt_tensor(content.at(name)).transpose(0, 1).reshape({ids.numel(), -1}).index_select(0, words(ids));
  }
  static Tensor words_of(const Tensor& x, const Tensor& ids) {
    return x.reshape({ids.numel(), -1}).index_select(0, words(ids));
  }
  static Tensor words(const Tensor& ids) { return (ids.reshape({-1}) != 1).nonzero().squeeze(1); }

  const json& content;
  std::shared_ptr<TranslationModel> model;
  TranslationBatch batch;
};

TranslationOptions sized(const std::string& geometry, int64_t hidden, int64_t layers) {
  TranslationOptions options;
  options.geometry = geometry;
  options.hidden_size = hidden;
  options.num_heads = 4;
  options.encoder_layers = options.decoder_layers = layers;
  return options;
}

/// A small model with random weights, large enough to matter.
std::shared_ptr<TranslationModel> small_model(TranslationOptions options,
                                              nn::LinearFactory linear = nn::dense_factory()) {
  const auto model = make_translation_model(options, {.source_size = 30, .target_size = 30},
                                            {.linear = std::move(linear), .seed = 3, .tensors = torch::kFloat64});
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : nn::stored_tensors(*model))
    if (options.geometry == "lorentz" && tensor.dim() == 2 && name.ends_with("weight.weight")) Tensor(tensor).mul_(10);
  return model;
}

TranslationBatch some_batch() {
  const auto ids = [](std::vector<int64_t> list, int64_t rows) {
    return torch::tensor(list, torch::kInt64).view({rows, -1});
  };
  return {.source = ids({4, 9, 7, 22, 8, 5, 1, 1, 11, 6, 29, 1}, 3),
          .source_lengths = torch::tensor({4, 2, 3}, torch::kInt64),
          .target = ids({2, 8, 13, 4, 3, 2, 27, 3, 1, 1, 2, 9, 9, 3, 1}, 3)};
}

int64_t stored_numbers(const torch::nn::Module& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : nn::stored_tensors(model)) count += tensor.numel();
  return count;
}

optim::Optimizer riemannian_adam(const TranslationModel& model) {
  optim::Optimizer optimizer(std::make_unique<optim::RiemannianAdam>(optim::AdamOptions{}), 0);
  const auto points = lorentz_parameters(model.options());
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) {
    const bool is_point = std::find(points.begin(), points.end(), name) != points.end();
    optimizer.add({.name = name,
                   .tensor = tensor,
                   .geometry = is_point ? optim::Geometry::kLorentz : optim::Geometry::kEuclidean});
  }
  return optimizer;
}

}  // namespace

TEST_CASE("the reference models give the published encodings, scores and losses", "[models]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const Reference reference(geometry, *vectors);
  const auto& batch = reference.batch;
  const Encoded encoded = reference.model->encode(batch.source, batch.source_lengths, {});
  CHECK(
      reference_agrees(Reference::words_of(encoded.memory, batch.source), reference.words_of("memory", batch.source)));
  const Tensor hidden = reference.model->decode(reference.input(), encoded, {});
  CHECK(reference_agrees(Reference::words_of(hidden, reference.input()),
                         reference.words_of("decoder_output", reference.input())));
  CHECK(reference_agrees(reference.model->scores(Reference::words_of(hidden, reference.input())),
                         reference.words_of("logits", reference.input())));
  const nn::TokenLoss loss = reference.model->loss(batch, {}, {});
  CHECK(loss.count == reference.content.at("tokens").get<double>());
  CHECK(loss.sum.item<double>() == Approx(reference.content.at("nll_sum").get<double>()).epsilon(kModelTolerance));
  CHECK(loss.nll.item<double>() == Approx(loss.sum.item<double>()).epsilon(kModelTolerance));
}

TEST_CASE("the reference models give the published gradients, computed once or twice", "[models]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const std::string geometry = any_geometry();
  const bool recompute = GENERATE(false, true);
  CAPTURE(geometry, recompute);
  const Reference reference(geometry, *vectors);
  const double scale = 1 / reference.content.at("tokens").get<double>();
  (reference.model->loss(reference.batch, {}, {.loss_scale = scale, .recompute = recompute}).sum * scale).backward();
  const auto expected = testing::mt_tensors(reference.content.at("gradients"));
  const auto trained = nn::trainable_tensors(*reference.model);
  CHECK(trained.size() == expected.size());
  for (const auto& [name, tensor] : trained) {
    CAPTURE(name);
    if (!is_rounding_noise(name)) CHECK(reference_agrees(tensor.grad(), expected.at(name)));
  }
}

TEST_CASE("twelve steps of Riemannian Adam under noam follow the published training", "[models]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const Reference reference("lorentz", *vectors);
  optim::Optimizer optimizer = riemannian_adam(*reference.model);
  constexpr int64_t kWarmup = 20;
  optim::ScheduleOptions noam;
  noam.name = "inverse_sqrt";
  noam.warmup_steps = kWarmup;
  const auto schedule = optim::make_schedule(noam, {});
  const double peak = 0.1 / std::sqrt(8.0 * kWarmup);
  for (const json& step : reference.content.at("training").at("steps")) {
    CAPTURE(step.at("step"));
    const double lr = peak * schedule(step.at("step").get<int64_t>() - 1);
    CHECK(lr == Approx(step.at("lr").get<double>()).epsilon(1e-12));
    optimizer.zero_grad();
    const nn::TokenLoss sums = reference.model->loss(reference.batch, {}, {});
    const Tensor loss = sums.sum / sums.count;
    CHECK(loss.item<double>() == Approx(step.at("loss").get<double>()).epsilon(kModelTolerance));
    loss.backward();
    const auto norm = optim::clip_gradients_(optimizer.parameters(), 0.5);
    CHECK(norm.norm == Approx(step.at("grad_norm_before_clip").get<double>()).epsilon(kModelTolerance));
    optimizer.step({.base = lr, .low_rank = 0});
    const auto expected = testing::mt_tensors(step.value("parameters_after", json::object()));
    for (const auto& [name, tensor] : nn::stored_tensors(*reference.model)) {
      CAPTURE(name);
      if (const auto found = expected.find(name); found != expected.end())
        CHECK(reference_agrees(tensor, found->second));
    }
  }
}

TEST_CASE("noam is inverse_sqrt with another peak", "[models]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  for (const json& entry : vectors->at("shared").at("schedule").at("cases")) {
    if (entry.at("method") != "noam") continue;
    const auto warmup = entry.at("warmup").get<double>();
    optim::ScheduleOptions options;
    options.name = "inverse_sqrt";
    options.warmup_steps = static_cast<int64_t>(warmup);
    const auto schedule = optim::make_schedule(options, {});
    const double peak = entry.at("factor").get<double>() / std::sqrt(entry.at("model_size").get<double>() * warmup);
    for (const json& value : entry.at("values"))
      CHECK(peak * schedule(value[0].get<int64_t>() - 1) == Approx(value[1].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("one word after another gives the scores of the whole sentence", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const auto model = small_model(sized(geometry, 16, 2));
  const torch::NoGradGuard no_grad;
  const TranslationBatch batch = some_batch();
  const Encoded encoded = model->encode(batch.source, batch.source_lengths, {});
  const Tensor whole = model->decode(batch.target, encoded, {});  // [3, 5, 16]
  DecoderState state = model->start(encoded, 2);
  for (int64_t t = 0; t < batch.target.size(1); ++t) {
    Tensor weights;
    const Tensor words = batch.target.select(1, t).unsqueeze(1).expand({3, 2}).contiguous();
    const Tensor step = model->decode_step(words, state, {}, &weights);
    CHECK(torch::allclose(step.select(1, 0), whole.select(1, t), 0, 1e-12));
    CHECK(torch::allclose(step.select(1, 1), whole.select(1, t), 0, 1e-12));
    CHECK(torch::allclose(weights.sum(2), torch::ones({3, 2}, torch::kFloat64)));
    CHECK(weights[1][0].narrow(0, 2, 2).abs().max().item<double>() == 0);  // padding of the second sentence
  }
  // The incremental scores of the reference are those of its whole sentences.
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const Reference reference(geometry, *vectors);
  const Encoded source = reference.model->encode(reference.batch.source, reference.batch.source_lengths, {});
  DecoderState beginning = reference.model->start(source, 1);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < reference.input().size(1); ++t)
    steps.push_back(reference.model->decode_step(reference.input().narrow(1, t, 1), beginning));
  CHECK(reference_agrees(reference.model->scores(Reference::words_of(torch::cat(steps, 1), reference.input())),
                         reference.words_of("logits", reference.input())));
}

TEST_CASE("beams that change places and sentences that leave take their caches along", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const auto model = small_model(sized(geometry, 16, 2));
  const torch::NoGradGuard no_grad;
  const TranslationBatch batch = some_batch();
  const Encoded encoded = model->encode(batch.source, batch.source_lengths, {});
  DecoderState state = model->start(encoded, 2);
  const auto ids = [](std::vector<int64_t> list) { return torch::tensor(list, torch::kInt64).view({-1, 2}); };
  model->decode_step(ids({2, 2, 2, 2, 2, 2}), state);
  model->decode_step(ids({5, 6, 7, 8, 9, 10}), state);
  state.select({1, 0, 5, 5});  // the first sentence's beams change places; the second leaves; the third's second stays
  const Tensor step = model->decode_step(ids({11, 12, 13, 14}), state);
  const auto alone = [&](int64_t sentence, std::vector<int64_t> words) {
    const int64_t length = batch.source_lengths[sentence].item<int64_t>();
    const Encoded one = model->encode(batch.source[sentence].narrow(0, 0, length).unsqueeze(0),
                                      batch.source_lengths.narrow(0, sentence, 1), {});
    return model->decode(torch::tensor(words, torch::kInt64).unsqueeze(0), one, {}).select(1, -1)[0];
  };
  CHECK(torch::allclose(step[0][0], alone(0, {2, 6, 11}), 0, 1e-12));
  CHECK(torch::allclose(step[0][1], alone(0, {2, 5, 12}), 0, 1e-12));
  CHECK(torch::allclose(step[1][0], alone(2, {2, 10, 13}), 0, 1e-12));
  CHECK(torch::allclose(step[1][1], alone(2, {2, 10, 14}), 0, 1e-12));
}

TEST_CASE("the loss of a batch is the sum of its sentences' losses", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const auto model = small_model(sized(geometry, 16, 2));
  const torch::NoGradGuard no_grad;
  const TranslationBatch batch = some_batch();
  const nn::TokenLoss all = model->loss(batch, {.label_smoothing = 0.1}, {});
  double sum = 0, count = 0;
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t src = batch.source_lengths[i].item<int64_t>(), tgt = (batch.target[i] != 1).sum().item<int64_t>();
    const nn::TokenLoss one = model->loss({.source = batch.source[i].narrow(0, 0, src).unsqueeze(0),
                                           .source_lengths = batch.source_lengths.narrow(0, i, 1),
                                           .target = batch.target[i].narrow(0, 0, tgt).unsqueeze(0)},
                                          {.label_smoothing = 0.1}, {});
    sum += one.sum.item<double>();
    count += one.count;
  }
  CHECK(all.count == count);
  CHECK(all.sum.item<double>() == Approx(sum).epsilon(1e-12));
}

TEST_CASE("parameter counts are the published ones", "[models]") {
  struct Row {
    const char* geometry;
    int64_t hidden, count;
  };
  const auto [geometry, hidden, count] =
      GENERATE(Row{"euclidean", 64, 2266512}, Row{"euclidean", 128, 5900432}, Row{"euclidean", 256, 17297040},
               Row{"lorentz", 64, 2909718}, Row{"lorentz", 128, 7203094}, Row{"lorentz", 256, 19967766});
  CAPTURE(geometry, hidden);
  const auto model = make_translation_model(sized(geometry, hidden, 6), {.source_size = 6632, .target_size = 8848},
                                            {.tensors = torch::TensorOptions(torch::kFloat32).device(torch::kMeta)});
  CHECK(stored_numbers(*model) == count);
}

TEST_CASE("the maps of the blocks are those that the methods replace", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const auto maps = nn::recorded_maps([&](const nn::Build& build) {
    make_translation_model(sized(geometry, 64, 6), {.source_size = 50, .target_size = 60}, build);
  });
  int64_t blocks = 0, numbers = 0;
  for (const nn::LinearSpec& map : maps) {
    blocks += map.in_block ? 1 : 0;
    numbers += map.in_block ? map.in * map.out : 0;
    if (!map.in_block) CHECK((map.name == "generator.proj" || map.name.ends_with(".embed.linear.weight")));
  }
  CHECK(blocks == 96);
  CHECK(numbers == 168 * 64 * 64);
}

TEST_CASE("initial values depend on the seed and the name alone, tables of words lie on the hyperboloid", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  const auto values = [&](uint64_t seed, int64_t layers) {
    const auto model = make_translation_model(sized(geometry, 16, layers), {.source_size = 30, .target_size = 30},
                                              {.seed = seed, .tensors = torch::kFloat64});
    std::map<std::string, Tensor> tensors;
    for (const auto& [name, tensor] : nn::stored_tensors(*model)) tensors[name] = tensor.detach();
    for (const std::string& name : lorentz_parameters(model->options()))
      CHECK(torch::allclose(tensor::lorentz::minkowski_inner(tensors.at(name), tensors.at(name)),
                            -torch::ones({30}, torch::kFloat64), 0, 1e-9));
    return tensors;
  };
  const auto one = values(1, 1), again = values(1, 2), other = values(2, 1);
  for (const auto& [name, tensor] : one) CHECK(torch::equal(tensor, again.at(name)));
  const std::string matrix = geometry == "lorentz" ? "encoder.layers.0.self_attn.q_proj.weight.weight"
                                                   : "encoder.layers.0.self_attn.q_proj.weight";
  CHECK_FALSE(torch::equal(one.at(matrix), other.at(matrix)));
  CHECK_FALSE(torch::equal(one.at(matrix), one.at("decoder" + matrix.substr(7))));
  if (geometry == "lorentz") CHECK(torch::equal(one.at("generator.cls"), one.at("decoder.embed.words.weight")));
}

TEST_CASE("tied tables exist once and get the gradients of all their uses", "[models]") {
  const std::string geometry = any_geometry();
  const std::string tie = GENERATE("decoder", "all");
  CAPTURE(geometry, tie);
  TranslationOptions options = sized(geometry, 16, 1);
  const auto untied_count = nn::trainable_tensors(*small_model(options)).size();
  options.tie_embeddings = tie;
  const auto model = small_model(options);
  CHECK(nn::trainable_tensors(*model).size() == untied_count - (tie == "all" ? 2 : 1));
  model->loss(some_batch(), {}, {}).sum.backward();
  const auto parameters = model->named_parameters();
  const Tensor gradient = parameters[tie == "all" ? "encoder.embed.words.weight" : "decoder.embed.words.weight"].grad();
  CHECK(gradient[20].abs().sum().item<double>() > 0);  // no sentence has this word: the output layer's share
  if (tie == "all")
    CHECK_THROWS_AS(make_translation_model(options, {.source_size = 30, .target_size = 31}, {}), UserError);
}

TEST_CASE("every method trains either geometry", "[models]") {
  const std::string geometry = any_geometry();
  const std::string method = GENERATE("lora", "sst");
  CAPTURE(geometry, method);
  const methods::MethodContext context{
      .seed = 1, .hidden_size = 16, .rows_per_step = 8, .step = {}, .euclidean = geometry == "euclidean"};
  std::unique_ptr<methods::Method> made;
  if (method == "lora") {
    methods::LoraOptions options;
    options.rank = 4;
    made = std::make_unique<methods::Lora>(options, context);
  } else {
    methods::SstOptions options;
    options.rank = 4;
    made = std::make_unique<methods::Sst>(options, context);
  }
  const auto model = make_translation_model(
      sized(geometry, 16, 1), {.source_size = 30, .target_size = 30},
      {.linear = [&](const nn::LinearSpec& spec) { return made->make_linear(spec); }, .seed = 3});
  optim::Optimizer optimizer = riemannian_adam(*model);
  made->on_start(optimizer);
  double first = 0, last = 0;
  for (int64_t step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    const nn::TokenLoss loss =
        model->loss(some_batch(), {.label_smoothing = 0.1}, {.training = true, .seed = 1, .step = step});
    (loss.sum / loss.count).backward();
    made->before_step(step, optimizer);
    optimizer.step({.base = 1e-2, .low_rank = 1e-2});
    made->after_step(step, optimizer);
    last = loss.nll.item<double>();
    if (step == 0) first = last;
  }
  CHECK(last < 0.7 * first);
}

TEST_CASE("dropout belongs to the sentence, not to its place in a batch", "[models]") {
  const std::string geometry = any_geometry();
  CAPTURE(geometry);
  TranslationOptions options = sized(geometry, 16, 1);
  options.dropout = 0.3;
  const auto model = small_model(options);
  const torch::NoGradGuard no_grad;
  const TranslationBatch batch = some_batch();
  const nn::Pass pass{.training = true, .seed = 4, .step = 2};
  nn::Pass second = pass;
  second.first_row = 1;
  const auto part = [&](int64_t first, int64_t count, const nn::Pass& with) {
    return model
        ->loss({.source = batch.source.narrow(0, first, count),
                .source_lengths = batch.source_lengths.narrow(0, first, count),
                .target = batch.target.narrow(0, first, count)},
               {}, with)
        .sum.item<double>();
  };
  CHECK(part(0, 3, pass) == Approx(part(0, 1, pass) + part(1, 2, second)).epsilon(1e-12));
  CHECK(part(0, 3, pass) != Approx(part(0, 3, {})).epsilon(1e-6));
}

TEST_CASE("what sentences are given as log-probabilities is minus their loss, with the norm at either place",
          "[models]") {
  TranslationOptions options = sized(any_geometry(), 16, 2);
  if (options.geometry == "euclidean" && GENERATE(false, true)) options.norm = "post";
  const auto model = small_model(options);
  CHECK(model->named_parameters().contains("encoder.norm.weight") ==
        (options.geometry == "euclidean" && !options.norm));
  const TranslationBatch batch = some_batch();
  const Tensor log_p = model->log_p(batch);
  REQUIRE(log_p.sizes() == torch::IntArrayRef{batch.target.size(0)});
  CHECK((log_p < 0).all().item<bool>());
  CHECK(-log_p.sum().item<double>() == Approx(model->loss(batch, {}, {}).nll.item<double>()).epsilon(1e-10));
}

TEST_CASE("sentences that do not fit and options that do not fit are refused", "[models]") {
  const std::string geometry = any_geometry();
  TranslationOptions options = sized(geometry, 16, 1);
  options.max_positions = 3;
  const auto model = small_model(options);
  CHECK_THROWS_WITH(model->loss(some_batch(), {}, {}),
                    ContainsSubstring("4 tokens") && ContainsSubstring("3 positions"));
  TranslationBatch empty = some_batch();
  empty.source_lengths = torch::tensor({4, 0, 3}, torch::kInt64);
  CHECK_THROWS_AS(model->loss(empty, {}, {}), UserError);
  options.num_heads = 5;
  CHECK_THROWS_WITH(small_model(options), ContainsSubstring("model.num_heads"));
  options = sized("lorentz", 16, 1);
  options.activation = "gelu";
  CHECK_THROWS_WITH(small_model(options), ContainsSubstring("model.activation"));
  options = sized("lorentz", 16, 1);
  options.norm = "pre";
  CHECK_THROWS_WITH(small_model(options), ContainsSubstring("model.norm"));
  options = sized("lorentz", 16, 1);
  options.num_heads = 16;
  CHECK_THROWS_WITH(small_model(options), ContainsSubstring("model.num_heads"));
}

}  // namespace sst::models
