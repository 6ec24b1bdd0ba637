#include "models/language_model.hpp"

#include "core/error.hpp"
#include "methods/lora.hpp"
#include "methods/sst.hpp"
#include "optim/adam.hpp"
#include "optim/optimizer.hpp"
#include "optim/sgd.hpp"
#include "recipe/load.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hf_tiny.hpp"
#include "tests/support/vectors.hpp"

namespace sst::models {
namespace {

using testing::kTinyModels;
using testing::TinyModel;
using testing::to_ids;
using torch::Tensor;

// What hf_tiny/README.md says a correct float32 implementation meets.
constexpr double kLogits = 5e-5, kLoss = 5e-6, kGradient = 2e-5, kGradientNorm = 1e-4, kTrainingLoss = 1e-5;
constexpr double kDoubleLoss = 1e-10;

double largest_difference(const Tensor& a, const Tensor& b) {
  return (a.detach().to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>();
}

std::string any_tiny() { return GENERATE(from_range(kTinyModels)); }

/// A gradient that is zero but for rounding: a bias of the keys shifts all scores of a query alike.
bool is_key_bias(const std::string& name) { return name.ends_with("k_proj.bias"); }

optim::Optimizer optimizer_of(const torch::nn::Module& model, std::unique_ptr<optim::UpdateRule> rule, double decay) {
  optim::Optimizer optimizer(std::move(rule), decay);
  for (const auto& [name, tensor] : nn::trainable_tensors(model))
    optimizer.add({.name = name, .tensor = tensor, .decay = true});
  return optimizer;
}

void check_training(const TinyModel& tiny, optim::Optimizer optimizer, const nlohmann::json& expected) {
  for (const auto& loss_before : expected.at("losses_before_each_step")) {
    optimizer.zero_grad();
    const Tensor loss = tiny.loss(tiny.named("plain"));
    CHECK(std::abs(loss.item<double>() - loss_before.get<double>()) < kTrainingLoss);
    loss.backward();
    optimizer.step({.base = expected.at("lr").get<double>(), .low_rank = 0});
  }
}

/// A small model of each kind with random weights, for what needs no reference.
LanguageModelConfig small_config(const std::string& family) {
  LanguageModelOptions options;
  options.family = family;
  options.hidden_size = 16;
  options.num_layers = 2;
  options.num_heads = 4;
  options.max_positions = 24;
  if (family == "llama") options.num_kv_heads = 2;
  if (family == "opt") options.embedding_size = 8;
  return resolved(options, 30);
}

std::shared_ptr<LanguageModel> small_model(const std::string& family, double dropout = 0,
                                           torch::ScalarType dtype = torch::kFloat32) {
  LanguageModelConfig config = small_config(family);
  config.dropout = config.attention_dropout = dropout;
  config.init_std = 0.2;  // so that the parts matter
  return make_language_model(config, {.seed = 3, .tensors = dtype});
}

Tensor some_ids(int64_t batch, int64_t time) { return (torch::arange(batch * time) * 7 % 29).view({batch, time}); }

std::string any_family() { return GENERATE(from_range(language_model_families())); }

/// The small model of a family with LoRA's maps everywhere, dropout on the update's input, and B not zero.
std::shared_ptr<LanguageModel> lora_model(const std::string& family, double dropout) {
  methods::LoraOptions lora;
  lora.rank = 2;
  lora.dropout = dropout;
  lora.targets = {"*", "lm_head"};
  methods::Lora method(lora, {.seed = 3, .hidden_size = 16});
  auto model = make_language_model(small_config(family),
                                   {.linear = [&](const nn::LinearSpec& spec) { return method.make_linear(spec); },
                                    .seed = 3,
                                    .tensors = torch::kFloat64});
  const torch::NoGradGuard no_grad;
  for (auto& item : model->named_parameters())
    if (item.key().ends_with("lora_b"))
      item.value().copy_(torch::arange(item.value().numel()).view(item.value().sizes()) % 7 * 0.1);
  return model;
}

std::map<std::string, Tensor> gradients_of(LanguageModel& model, const Tensor& ids, const nn::Pass& pass) {
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) Tensor(tensor).mutable_grad() = Tensor();
  model.logits(model.hidden(ids, pass), pass).to(torch::kFloat64).logsumexp(-1).square().sum().backward();
  std::map<std::string, Tensor> gradients;
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) gradients[name] = tensor.grad();
  return gradients;
}

int64_t trained_numbers(const torch::nn::Module& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) count += tensor.numel();
  return count;
}

struct CountRow {
  const char* preset;
  int64_t rank, full, lora, sst;
};

}  // namespace

TEST_CASE("with dropout on the adapters any cut of a step gives the same gradients", "[models]") {
  const std::string family = any_family();
  CAPTURE(family);
  const auto model = lora_model(family, 0.5);
  const Tensor ids = some_ids(4, 5);
  const auto gradients = [&](int64_t micro_batch, int64_t step) {
    for (const auto& [name, tensor] : nn::trainable_tensors(*model)) Tensor(tensor).mutable_grad() = Tensor();
    for (int64_t first = 0; first < 4; first += micro_batch) {
      const nn::Pass pass{.training = true, .seed = 1, .step = step, .first_row = first};
      model->logits(model->hidden(ids.narrow(0, first, micro_batch), pass), pass)
          .logsumexp(-1)
          .square()
          .sum()
          .backward();
    }
    std::vector<Tensor> all;
    for (const auto& [name, tensor] : nn::trainable_tensors(*model)) all.push_back(tensor.grad().flatten());
    return torch::cat(all);
  };
  const Tensor whole = gradients(4, 7);
  for (const int64_t micro_batch : {1, 2})
    CHECK(largest_difference(gradients(micro_batch, 7), whole) < 1e-10 * whole.abs().max().item<double>());
  CHECK(largest_difference(gradients(4, 8), whole) > 1e-3);  // another step has other masks
}

TEST_CASE("every family starts its matrices as init.scheme says, by seed and name alone", "[models]") {
  const std::string family = any_family();
  CAPTURE(family);
  using Kind = nn::InitScheme::Kind;
  const auto config = small_config(family);
  const auto model_of = [&](nn::InitScheme scheme) { return make_language_model(config, {.seed = 3, .init = scheme}); };
  const auto own = model_of({}), normal = model_of({.kind = Kind::kNormal, .deviation = 0.5}),
             xavier = model_of({.kind = Kind::kXavierUniform});
  CHECK(torch::equal(model_of({.kind = Kind::kXavierUniform})->parameters().front(), xavier->parameters().front()));
  const auto own_tensors = own->named_parameters(), normal_tensors = normal->named_parameters();
  for (const auto& item : xavier->named_parameters()) {
    CAPTURE(item.key());
    if (item.value().dim() < 2) {
      CHECK(torch::equal(item.value(), own_tensors[item.key()]));
      continue;
    }
    const double bound = std::sqrt(6.0 / static_cast<double>(item.value().size(0) + item.value().size(1)));
    const double largest = item.value().abs().max().item<double>();
    CHECK((largest <= bound && largest > 0.8 * bound));
    CHECK(normal_tensors[item.key()].std().item<double>() == Approx(0.5).epsilon(0.3));
  }
  if (config.pad_id)
    CHECK(normal_tensors["model.decoder.embed_tokens.weight"][*config.pad_id].abs().max().item<double>() == 0);
}

TEST_CASE("every reference model gives the published logits and losses", "[models]") {
  const auto tiny = TinyModel::load(any_tiny());
  if (!tiny) return;
  for (const auto& entry : tiny->reference.at("cases")) {
    if (entry.at("name") == "left_padded") continue;  // texts begin at position 0 here
    CAPTURE(tiny->folder.string(), entry.at("name"));
    const Tensor logits = tiny->model->logits(tiny->model->hidden(to_ids(entry.at("input_ids")), {}));
    for (size_t row = 0; row < entry.at("logits").size(); ++row)
      for (size_t t = 0; t < entry.at("logits")[row].size(); ++t) {
        const auto& expected = entry.at("logits")[row][t];
        if (expected.is_null() || expected[0].is_null()) continue;
        CHECK(largest_difference(logits[static_cast<int64_t>(row)][static_cast<int64_t>(t)],
                                 testing::to_tensor(expected)) < kLogits);
      }
    CHECK(std::abs(tiny->loss(entry).item<double>() - entry.at("loss").get<double>()) < kLoss);
  }
}

TEST_CASE("in float64 every reference model gives the loss of the float64 implementation", "[models]") {
  const auto tiny = TinyModel::load(any_tiny(), torch::kFloat64);
  if (!tiny) return;
  for (const char* name : {"plain", "right_padded", "short"}) {
    CAPTURE(tiny->folder.string(), name);
    const auto& entry = tiny->named(name);
    CHECK(std::abs(tiny->loss(entry).item<double>() - entry.at("loss_float64").get<double>()) < kDoubleLoss);
  }
}

TEST_CASE("every reference model gives the published gradients", "[models]") {
  const auto tiny = TinyModel::load(any_tiny());
  if (!tiny) return;
  const auto& entry = tiny->named("plain");
  const auto expected = tensor::read_safetensors(tiny->folder / "grads_plain.safetensors").tensors;
  tiny->loss(entry).backward();
  const auto trained = nn::trainable_tensors(*tiny->model);
  CHECK(trained.size() == entry.at("grad_norm").size());
  const auto& transposed = families().at(tiny->model->config().family).hf.transposed;
  for (const auto& [name, tensor] : trained) {
    CAPTURE(tiny->folder.string(), name);
    const bool turned = std::any_of(transposed.begin(), transposed.end(),
                                    [&, &n = name](const std::string& glob) { return glob_match(glob, n); });
    CHECK(largest_difference(turned ? tensor.grad().t() : tensor.grad(), expected.at(name)) < kGradient);
    if (is_key_bias(name)) continue;
    CHECK(tensor.grad().norm().item<double>() ==
          Approx(entry.at("grad_norm").at(name).get<double>()).epsilon(kGradientNorm));
  }
}

TEST_CASE("gradient descent and AdamW follow the published losses", "[models]") {
  const std::string name = any_tiny();
  CAPTURE(name);
  if (const auto tiny = TinyModel::load(name)) {
    const auto& expected = tiny->named("plain").at("sgd");
    check_training(*tiny, optimizer_of(*tiny->model, std::make_unique<optim::Sgd>(optim::SgdOptions{.momentum = 0}), 0),
                   expected);
  }
  if (const auto tiny = TinyModel::load(name)) {
    const auto& expected = tiny->named("plain").at("adamw");
    check_training(
        *tiny,
        optimizer_of(*tiny->model, std::make_unique<optim::Adam>(optim::AdamOptions{.beta1 = 0.9, .beta2 = 0.95}),
                     expected.at("weight_decay").get<double>()),
        expected);
  }
}

TEST_CASE("decoding token by token gives the published greedy text", "[models]") {
  const auto tiny = TinyModel::load(any_tiny());
  if (!tiny) return;
  CAPTURE(tiny->folder.string());
  const torch::NoGradGuard no_grad;
  const auto& greedy = tiny->reference.at("greedy");
  nn::KeyValueCache cache;
  std::vector<int64_t> text = greedy.at("prompt");
  Tensor ids = torch::tensor(text).unsqueeze(0);
  while (text.size() < greedy.at("output").size()) {
    const Tensor logits = tiny->model->logits(tiny->model->hidden(ids, {}, &cache).select(1, -1));
    text.push_back(logits.argmax(-1).item<int64_t>());
    ids = torch::full({1, 1}, text.back(), torch::kInt64);
  }
  CHECK(text == greedy.at("output").get<std::vector<int64_t>>());
}

TEST_CASE("with cached keys and values the logits are those of the whole text", "[models]") {
  const auto model = small_model(any_family(), 0, torch::kFloat64);
  CAPTURE(model->config().family);
  const torch::NoGradGuard no_grad;
  const Tensor ids = some_ids(3, 11);
  const Tensor whole = model->hidden(ids, {});
  nn::KeyValueCache cache;
  std::vector<Tensor> parts;
  int64_t done = 0;
  for (const int64_t size : {4, 1, 1, 3, 2}) {  // several tokens behind cached ones too
    parts.push_back(model->hidden(ids.narrow(1, done, size), {}, &cache));
    done += size;
  }
  CHECK(cache.length() == 11);
  CHECK(largest_difference(torch::cat(parts, 1), whole) < testing::kRounding);
}

TEST_CASE("a text longer than the model's positions is refused", "[models]") {
  const auto model = small_model(any_family());
  CHECK_THROWS_WITH(model->hidden(some_ids(1, 25), {}), ContainsSubstring("25 tokens"));
}

TEST_CASE("computing blocks a second time gives the same gradients, bit for bit", "[models]") {
  const auto model = small_model(any_family(), /*dropout=*/0.2);
  CAPTURE(model->config().family);
  nn::Pass pass{.training = true, .seed = 4, .step = 6};
  const auto kept = gradients_of(*model, some_ids(2, 9), pass);
  pass.recompute = true;
  const auto again = gradients_of(*model, some_ids(2, 9), pass);
  for (const auto& [name, gradient] : kept) {
    CAPTURE(name);
    CHECK(torch::equal(gradient, again.at(name)));
  }
}

TEST_CASE("slicing a batch changes neither masks nor gradients", "[models]") {
  const auto model = small_model(any_family(), /*dropout=*/0.3, torch::kFloat64);
  CAPTURE(model->config().family);
  const Tensor ids = some_ids(4, 8);
  const auto whole = gradients_of(*model, ids, {.training = true, .seed = 4, .step = 6});
  const auto first = gradients_of(*model, ids.narrow(0, 0, 1), {.training = true, .seed = 4, .step = 6});
  const auto rest = gradients_of(*model, ids.narrow(0, 1, 3), {.training = true, .seed = 4, .step = 6, .first_row = 1});
  for (const auto& [name, gradient] : whole) {
    CAPTURE(name);
    const double scale = std::max(1.0, gradient.abs().max().item<double>());
    CHECK(largest_difference(first.at(name) + rest.at(name), gradient) / scale < testing::kRounding);
  }
}

TEST_CASE("in bfloat16 the loss is close, and gradients and hidden states stay in float32", "[models]") {
  const auto tiny = TinyModel::load(any_tiny());
  if (!tiny) return;
  CAPTURE(tiny->folder.string());
  const nn::Pass mixed{.compute = torch::kBFloat16};
  const auto& entry = tiny->named("plain");
  const Tensor loss = tiny->loss(entry, mixed);
  CHECK(loss.item<double>() == Approx(entry.at("loss").get<double>()).epsilon(0.01));
  loss.backward();
  for (const auto& [name, tensor] : nn::trainable_tensors(*tiny->model)) {
    CAPTURE(name);
    CHECK(tensor.grad().scalar_type() == torch::kFloat32);
    const double expected = entry.at("grad_norm").at(name).get<double>();
    if (!is_key_bias(name)) CHECK(tensor.grad().norm().item<double>() == Approx(expected).epsilon(0.1));
  }
  // The matrices' copies follow the matrices.
  for (const auto& [name, tensor] : nn::trainable_tensors(*tiny->model)) tensor.detach().zero_();
  CHECK(tiny->loss(entry, mixed).item<double>() == Approx(std::log(97)));
}

TEST_CASE("OPT's padding row starts at zero and learns only as an output", "[models]") {
  const auto model = small_model("opt");
  const Tensor weight = model->output_weight();
  CHECK(weight[1].abs().max().item<double>() == 0);
  model->hidden(torch::ones({2, 3}, torch::kInt64), {}).sum().backward();
  CHECK(weight.grad()[1].abs().max().item<double>() == 0);
  gradients_of(*model, torch::ones({2, 3}, torch::kInt64), {});
  CHECK(weight.grad()[1].abs().max().item<double>() > 0);
}

TEST_CASE("GPT-2's maps onto the residual stream start smaller", "[models]") {
  LanguageModelConfig config = small_config("gpt2");
  config.hidden_size = config.embedding_size = 64;
  config.num_layers = 8;
  const auto model = make_language_model(config, {});
  for (const auto& [name, tensor] : nn::stored_tensors(*model)) {
    if (!name.ends_with("weight") || tensor.dim() < 2) continue;
    CAPTURE(name);
    CHECK(tensor.std().item<double>() == Approx(name.ends_with("c_proj.weight") ? 0.005 : 0.02).epsilon(0.1));
  }
}

TEST_CASE("the papers' models have their numbers of trained parameters, under every method", "[models]") {
  const auto row = GENERATE(CountRow{"opt-125m", 64, 125239296, 50921472, 50976768},
                            CountRow{"opt-350m", 64, 331196416, 57518080, 57665536},
                            CountRow{"opt-1.3b", 64, 1315758080, 164421632, 164716544},
                            CountRow{"llama-130m", 64, 134105856, 60377856, 60442368},
                            CountRow{"llama-1.3b", 128, 1339082752, 250706944, 251051008});
  CAPTURE(row.preset);
  LanguageModelOptions options;
  options.family = std::string(row.preset).substr(0, std::string(row.preset).find('-'));
  options.preset = row.preset;
  const LanguageModelConfig config = resolved(options, std::nullopt);
  const methods::MethodContext context{.hidden_size = config.hidden_size, .rows_per_step = 1};
  methods::LoraOptions lora_options;
  methods::SstOptions sst_options;
  lora_options.rank = sst_options.rank = row.rank;
  methods::Lora lora(lora_options, context);
  methods::Sst sst(sst_options, context);
  const auto trained = [&](const nn::LinearFactory& factory) {
    const nn::Build build{.linear = factory, .tensors = torch::TensorOptions(torch::kFloat32).device(torch::kMeta)};
    return trained_numbers(*make_language_model(config, build));
  };
  CHECK(trained(nn::dense_factory()) == row.full);
  CHECK(trained([&](const nn::LinearSpec& spec) { return lora.make_linear(spec); }) == row.lora);
  CHECK(trained([&](const nn::LinearSpec& spec) { return sst.make_linear(spec); }) == row.sst);
}

TEST_CASE("every preset has the published number of parameters", "[models]") {
  const auto [preset, count] = GENERATE(table<std::string, int64_t>({{"opt-2.7b", 2651596800},
                                                                     {"opt-6.7b", 6658473984},
                                                                     {"gpt2-124m", 124439808},
                                                                     {"gpt2-355m", 354823168},
                                                                     {"gpt2-774m", 774030080},
                                                                     {"gpt2-1.6b", 1557611200},
                                                                     {"llama-60m", 58073600},
                                                                     {"llama-350m", 367969280},
                                                                     {"llama-1b", 1339082752},
                                                                     {"llama-7b", 6738415616}}));
  CAPTURE(preset);
  LanguageModelOptions options;
  options.family = preset.substr(0, preset.find('-'));
  options.preset = preset;
  const nn::Build build{.tensors = torch::TensorOptions(torch::kFloat32).device(torch::kMeta)};
  CHECK(trained_numbers(*make_language_model(resolved(options, std::nullopt), build)) == count);
}

TEST_CASE("the maps of the blocks are known without making the model", "[models]") {
  LanguageModelOptions options;
  options.family = "opt";
  options.preset = "opt-350m";
  const auto maps =
      nn::recorded_maps([&](const nn::Build& build) { make_language_model(resolved(options, std::nullopt), build); });
  CHECK(maps.size() == 24 * 6 + 2);
  const auto in_blocks = std::count_if(maps.begin(), maps.end(), [](const auto& map) { return map.in_block; });
  CHECK(in_blocks == 24 * 6);
}

TEST_CASE("a recipe's model section is read, and a preset fills what it leaves out", "[models]") {
  recipe::Schema schema;
  schema.describe<LanguageModelOptions>("model");
  const auto read = [&](const std::string& keys) {
    recipe::Diagnostics diagnostics;
    const auto recipe =
        recipe::load_text("recipe_version: 1\nmodel: {" + keys + "}\n", "test.yaml", {}, schema, diagnostics);
    diagnostics.throw_if_errors();
    return resolved(recipe.read<LanguageModelOptions>("model"), 32000);
  };
  const auto config = read("family: llama, preset: llama-60m, num_layers: 2, dropout: 0.1, tie_embeddings: all");
  CHECK((config.hidden_size == 512 && config.ffn_size == 1376 && config.num_layers == 2 && config.num_kv_heads == 8));
  CHECK((config.dropout == 0.1 && config.tie_embeddings && !config.bias && config.norm_eps == 1e-6));
  CHECK_THROWS_WITH(read("family: llama, preset: lama-60m"), ContainsSubstring("llama-60m"));
}

TEST_CASE("options that make no model are refused with the key and the way out", "[models]") {
  LanguageModelOptions options;
  options.family = "gpt2";
  CHECK_THROWS_WITH(resolved(options, 50), ContainsSubstring("'model.hidden_size'") && ContainsSubstring("num_heads"));
  options.preset = "opt-125m";
  CHECK_THROWS_WITH(resolved(options, 50), ContainsSubstring("no preset of family 'gpt2'"));
  options.preset = "gpt2-124m";
  options.num_heads = 7;
  CHECK_THROWS_WITH(resolved(options, 50), ContainsSubstring("'model.num_heads' is 7"));
  options.num_heads = 12;
  options.norm = "post";
  CHECK_THROWS_WITH(resolved(options, 50), ContainsSubstring("'model.norm' is post"));
  options.norm.reset();
  options.num_layers = 3;
  const auto config = resolved(options, 50);
  CHECK((config.num_layers == 3 && config.hidden_size == 768 && config.vocab_size == 50));
  CHECK(resolved(to_options(config), 50) == config);
}

}  // namespace sst::models
