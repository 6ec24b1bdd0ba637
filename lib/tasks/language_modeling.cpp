#include "tasks/language_modeling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/memory.hpp"
#include "core/text.hpp"
#include "models/registry.hpp"
#include "nn/linear.hpp"
#include "nn/token_loss.hpp"
#include "tasks/tokenizer_files.hpp"
#include "tensor/device_memory.hpp"

namespace sst::tasks {
namespace {

/// Raw text up to this size is prepared by `train` itself; more deserves its own step, with its own progress.
constexpr int64_t kSmallCorpusBytes = int64_t{512} << 20;

double gradient_bytes(const torch::nn::Module& model) {
  double bytes = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) bytes += static_cast<double>(tensor.nbytes());
  return bytes;
}

}  // namespace

LanguageModeling::LanguageModeling(LanguageRecipe recipe)
    : recipe_(std::move(recipe)), tokenizer_(recipe_.open_or_train_tokenizer()), config_(recipe_.config(*tokenizer_)) {}

const data::LanguageData& LanguageModeling::data() const {
  if (data_) return *data_;
  if (data::is_raw_text(recipe_.data) && data::corpus_bytes(recipe_.data, recipe_.data_root) <= kSmallCorpusBytes)
    data::prepare_language_data(recipe_.data, recipe_.data_root, *tokenizer_);
  data_ = data::load_language_data(recipe_.data, recipe_.data_root, *tokenizer_);
  return *data_;
}

Workload LanguageModeling::workload() const {
  const int64_t sequences = recipe_.sequences_per_step(), per_epoch = tokenizer_ ? data().train.size() / sequences : 1;
  if (per_epoch < 1)
    throw DataError(fmt::format("the training text has {} sequences of {} tokens, but a step takes {}",
                                data().train.size(), recipe_.data.seq_len, sequences),
                    "lower train.global_batch_tokens, or give more text");
  return {.hidden_size = config_.hidden_size,
          .rows_per_step = recipe_.step.global_batch_tokens,
          .step = {.per_epoch = per_epoch, .tokens = recipe_.step.global_batch_tokens},
          .euclidean = true,
          .counts_tokens = true};
}

void LanguageModeling::build(const nn::Build& build) {
  device_ = build.tensors.device();
  model_ = models::make_language_model(config_, build);
}

/// The largest divisor of this process's sequences of a step that the recipe or the memory allows.
int64_t LanguageModeling::micro_batch() const {
  if (micro_batch_ > 0) return micro_batch_;
  const int64_t all = recipe_.sequences_per_step(), processes = group().size(), sequences = all / processes;
  if (all % processes != 0)
    throw UserError(fmt::format("a step has {} sequences, which {} processes cannot share evenly", all, processes),
                    fmt::format("set train.global_batch_tokens to {} or start a number of processes that divides {}",
                                std::max<int64_t>(sequences, 1) * processes * recipe_.data.seq_len, all));
  micro_batch_ = std::min(recipe_.step.micro_batch.value.value_or(sequences), sequences);
  const double budget = memory_budget_.value_or(0.5 * static_cast<double>(available_memory_bytes()));
  const auto fits = [&](int64_t size) {
    return recipe_.step.micro_batch.value || step_bytes(gradient_bytes(*model_), size) <= budget;
  };
  while (micro_batch_ > 1 && (sequences % micro_batch_ != 0 || !fits(micro_batch_))) --micro_batch_;
  if (!recipe_.step.micro_batch.value) micro_batch_ = -static_cast<int64_t>(group().largest(-micro_batch_));
  return micro_batch_;
}

void LanguageModeling::keep_micro_batch(int64_t samples) {
  if (!recipe_.step.micro_batch.value && samples > 0 && recipe_.sequences_per_step() % (samples * group().size()) == 0)
    micro_batch_ = samples;
}

const KeptActivations& LanguageModeling::kept() const {
  if (!kept_) kept_ = device_.is_meta() ? by_blocks() : measured(measured_tokens(), /*as_it_trains=*/true);
  return *kept_;
}

/// Of each sequence that is measured: enough for what they keep to be much more than what an allocation rounds up. On a GPU
/// no more than lets two sequences stay below 1 MiB a tensor, for LibTorch puts a larger one into a block of up to 1 MiB more.
int64_t LanguageModeling::measured_tokens() const {
  constexpr int64_t kMost = 64;
  if (device_.is_cpu()) return kMost;
  const int64_t widest = std::max(config_.hidden_size, config_.ffn_size) * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>((int64_t{1} << 20) / (2 * widest), 1, kMost);
}

/// With short sequences: all but attention with dropout is linear in their length.
KeptActivations LanguageModeling::measured(int64_t tokens, bool as_it_trains) const {
  const int64_t full = recipe_.data.seq_len;
  const int64_t length = config_.attention_dropout > 0 ? full : std::min(full, tokens);
  const auto loss_of_some = [&](int64_t sequences, bool recompute) {
    const torch::Tensor ids = torch::zeros({sequences, length}, torch::kInt64);
    const nn::Pass pass{.training = true,
                        .compute = compute_,
                        .may_widen_attention = as_it_trains && full <= nn::kShortSequence,
                        .recompute = recompute};
    return loss_of({.inputs = ids, .targets = ids}, pass).sum;
  };
  KeptActivations kept =
      measure_activations(loss_of_some, 1, 2, *model_, device_.type(), recomputes_blocks(), config_.num_layers);
  const double scale = static_cast<double>(full) / static_cast<double>(length);
  for (double* part : {&kept.per_sample, &kept.in_backward, &kept.inside_block}) *part *= scale;
  return kept;
}

/// Of a model that has no memory, with plain matrices: everything is linear in the number of blocks and of words, so that
/// three small models on a CPU tell what it keeps.
KeptActivations LanguageModeling::by_blocks() const {
  constexpr int64_t kFewWords = 512;
  const auto of = [&](int64_t blocks, int64_t words) {
    auto config = config_;
    config.num_layers = blocks;
    config.vocab_size = words;
    LanguageModeling few(recipe_, config);
    few.compute_ = compute_;
    few.build({.tensors = torch::TensorOptions(torch::kFloat32), .init = {.kind = nn::InitScheme::Kind::kZero}});
    return few.measured(/*tokens=*/4, /*as_it_trains=*/false);
  };
  const KeptActivations base = of(1, kFewWords), block = of(2, kFewWords), words = of(1, 2 * kFewWords);
  const auto more_blocks = static_cast<double>(config_.num_layers - 1);
  const auto more_words = static_cast<double>(config_.vocab_size - kFewWords) / kFewWords;
  const auto at_full_size = [&](double KeptActivations::*part) {
    return base.*part + more_blocks * (block.*part - base.*part) + more_words * (words.*part - base.*part);
  };
  const double inside = 2 * block.inside_block - base.inside_block;  // without its share of what surrounds the blocks
  return {.per_sample = at_full_size(&KeptActivations::per_sample),
          .in_backward = at_full_size(&KeptActivations::in_backward),
          .inside_block = inside,
          .fixed = at_full_size(&KeptActivations::fixed)};
}

/// Of one pass. A model without memory is meant for a GPU.
double LanguageModeling::bytes_at_once(int64_t sequences) const {
  const int64_t rows = sequences * recipe_.data.seq_len;
  const torch::Tensor weight = model_->output_weight();
  const double logits = weight.defined() ? nn::token_loss_bytes(rows, weight, compute_, device_.type())
                                         : static_cast<double>(rows * config_.vocab_size) * 4;
  return kept().at_once(sequences, logits);
}

double LanguageModeling::step_bytes(double gradients) const { return step_bytes(gradients, micro_batch()); }

/// Attention looks back at half of the positions on average, and backward is twice the work of forward.
double LanguageModeling::flops_beside_maps() const {
  const double attention = 6.0 * static_cast<double>(config_.num_layers * recipe_.data.seq_len * config_.hidden_size);
  const double output =
      config_.tie_embeddings ? 6.0 * static_cast<double>(config_.vocab_size * config_.embedding_size) : 0;
  return static_cast<double>(recipe_.step.global_batch_tokens) * (attention + output);
}

/// Backward frees activations as it makes gradients, so that the first micro-batch needs the larger of the two; every
/// further one finds the gradients of those before.
double LanguageModeling::step_bytes(double gradients, int64_t sequences) const {
  if (sequences < recipe_.sequences_per_step()) return gradients + bytes_at_once(sequences);
  const double second_table =
      config_.tie_embeddings ? static_cast<double>(config_.vocab_size * config_.embedding_size) * 4 : 0;
  return std::max(bytes_at_once(sequences), gradients + second_table);
}

LanguageModeling::Step LanguageModeling::make_step(int64_t step) const {
  const int64_t sequences = recipe_.sequences_per_step();
  const auto& train = data().train;
  const auto batch = train.batch(train.samples(recipe_.seed, step * sequences, sequences));
  const int64_t* const targets = batch.targets.const_data_ptr<int64_t>();
  const auto beyond = std::count(targets, targets + batch.targets.numel(), tensor::kNoTarget);
  return {.batch = {.inputs = tensor::ready_to_send(batch.inputs, device_),
                    .targets = tensor::ready_to_send(batch.targets, device_)},
          .targets = static_cast<double>(batch.targets.numel() - beyond)};
}

StepShape LanguageModeling::step_shape(int64_t step) {
  data();  // by this thread
  if (!steps_) steps_.emplace([this](int64_t next) { return make_step(next); });
  step_ = steps_->take(step);
  return {.parts = recipe_.sequences_per_step() / together(), .count = step_.targets};
}

nn::LossSum LanguageModeling::loss_of(const data::TokenBatch& batch, const nn::Pass& pass,
                                      std::optional<double> count) const {
  const torch::Tensor hidden = model_->hidden(tensor::send_to(batch.inputs, device_), pass);  // [batch, time, dim]
  const torch::Tensor rows = hidden.reshape({-1, hidden.size(-1)}),
                      targets = tensor::send_to(batch.targets, device_).reshape({-1});
  if (const torch::Tensor weight = model_->output_weight(); weight.defined())
    return nn::token_loss(rows, weight, targets, {.compute = pass.compute, .scale = pass.loss_scale, .count = count});
  // A method holds the output layer as something else than one matrix.
  const torch::Tensor logits = model_->logits(hidden, pass).flatten(0, 1).to(torch::kFloat32);
  return {torch::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum, tensor::kNoTarget),
          count ? *count : (targets != tensor::kNoTarget).sum().item<double>()};
}

nn::Pass LanguageModeling::pass_of_part(const nn::Pass& pass, int64_t part) const {
  nn::Pass mine = pass;
  mine.first_row = first_row(part);
  mine.recompute = recipe_.step.recompute == "blocks";
  return mine;
}

data::TokenBatch LanguageModeling::part_of_step(int64_t part) const {
  return {.inputs = step_.batch.inputs.narrow(0, first_row(part), micro_batch()),
          .targets = step_.batch.targets.narrow(0, first_row(part), micro_batch())};
}

nn::LossSum LanguageModeling::loss(const nn::Pass& pass, int64_t part) {
  const data::TokenBatch batch = part_of_step(part);
  return loss_of(batch, pass_of_part(pass, part), (batch.targets != tensor::kNoTarget).sum().item<double>());
}

void LanguageModeling::load(int64_t part) {
  const data::TokenBatch batch = part_of_step(part);
  if (!loaded_.inputs.defined())
    loaded_ = {.inputs = torch::empty_like(batch.inputs, device_),
               .targets = torch::empty_like(batch.targets, device_)};
  loaded_.inputs.copy_(batch.inputs, /*non_blocking=*/true);
  loaded_.targets.copy_(batch.targets, /*non_blocking=*/true);
}

/// Nobody asks for its count: that of the step is known.
nn::LossSum LanguageModeling::loss_of_loaded(const nn::Pass& pass) {
  return loss_of(loaded_, pass_of_part(pass, 0), /*count=*/0);
}

nn::LossSum LanguageModeling::loss_over(const data::TokenDataset& dataset, int64_t sequences, const nn::Pass& pass,
                                        const BetweenBatches& between) {
  const torch::NoGradGuard no_grad;
  std::array<double, 2> sums{};  // nats and tokens
  for (int64_t first = 0; first < sequences; first += together()) {
    between();
    const int64_t begin = std::min(first + group().rank() * micro_batch(), sequences);
    std::vector<int64_t> chosen(static_cast<size_t>(std::min(micro_batch(), sequences - begin)));
    if (chosen.empty()) continue;
    std::iota(chosen.begin(), chosen.end(), begin);
    const nn::LossSum loss = loss_of(dataset.batch(chosen), pass);
    sums[0] += loss.sum.item<double>();
    sums[1] += loss.count;
  }
  group().sum_(sums);
  return {torch::scalar_tensor(sums[0], torch::kFloat64), sums[1]};
}

Evaluated LanguageModeling::evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) {
  if (split != "valid") throw UserError("language models have no split '" + split + "'", "use valid");
  if (!data().valid) throw DataError("there is no validation text", "give data.valid, or data.valid_fraction above 0");
  const auto& dataset = *data().valid;
  int64_t sequences = dataset.size();
  if (recipe_.eval.max_batches)
    sequences = std::min(sequences, *recipe_.eval.max_batches * recipe_.sequences_per_step());
  const nn::LossSum loss = loss_over(dataset, sequences, pass, between);
  const double mean = loss.sum.item<double>() / loss.count;
  Metrics metrics = {{"loss", mean}, {"ppl_token", std::exp(mean)}};
  // Words are known of the whole text only, and all of it but its first token has been predicted.
  if (data().valid_text_words && sequences == dataset.size())
    metrics["ppl_word"] = std::exp(loss.sum.item<double>() / static_cast<double>(*data().valid_text_words));
  if (data().valid_text_bytes) {
    const double bytes_per_token =
        static_cast<double>(*data().valid_text_bytes) / static_cast<double>(dataset.tokens());
    metrics["bits_per_byte"] = mean / bytes_per_token / std::numbers::ln2;
  }
  return {.metrics = std::move(metrics)};
}

std::vector<std::pair<std::string, std::string>> LanguageModeling::facts() const {
  const auto& train = data().train;
  std::vector<std::pair<std::string, std::string>> lines = {
      {"model", fmt::format("{}, {} blocks of width {}", config_.family, config_.num_layers, config_.hidden_size)},
      {"vocabulary", with_thousands(tokenizer_->size()) + " ids, " + with_thousands(config_.vocab_size) + " rows"},
      {"train", with_thousands(train.tokens()) + " tokens, " + with_thousands(train.size()) + " sequences of " +
                    std::to_string(recipe_.data.seq_len)}};
  if (data().valid) {
    std::string text = with_thousands(data().valid->tokens()) + " tokens";
    if (recipe_.eval.max_batches) text += fmt::format(", of which {} batches are evaluated", *recipe_.eval.max_batches);
    lines.emplace_back("valid", text);
  }
  lines.emplace_back("step",
                     fmt::format("{} sequences, {} at a time{}", recipe_.sequences_per_step(), micro_batch(),
                                 group().is_alone() ? "" : fmt::format(" on each of {} processes", group().size())));
  return lines;
}

std::vector<int32_t> LanguageModeling::text_start() const {
  if (config_.family == "opt" && tokenizer_->separator()) return {*tokenizer_->separator()};
  return {};
}

std::map<std::string, std::filesystem::path> LanguageModeling::tokenizer_files() const {
  namespace fs = std::filesystem;
  std::map<std::string, fs::path> files;
  const fs::path model = recipe_.tokenizer_path();
  if (recipe_.tokenizer.type == "gpt2_bpe") {
    for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"})
      if (path_exists(model / name)) files[name] = model / name;
  } else if (const std::string name = kept_tokenizer_name(recipe_.tokenizer.type); !name.empty()) {
    files[name] = single_model_file(model);
  }
  return files;
}

}  // namespace sst::tasks
