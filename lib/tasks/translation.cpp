#include "tasks/translation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "tasks/tokenizer_files.hpp"
#include "tensor/device_memory.hpp"
#include "text/line_reader.hpp"
#include "text/unicode_properties.hpp"
#include "text/word_vocabulary.hpp"

namespace sst::tasks {
namespace {

using data::TranslationSplit;

constexpr int64_t kDecodedTokens = 4096;  ///< padded source tokens that are decoded at a time
constexpr size_t kDecodedInRound = 256;   ///< sentences of each process between two chances to stop
constexpr double kLargestNats = 100;      ///< per token, so that a perplexity stays a number
constexpr std::array<const char*, 2> kTextMetrics = {"bleu", "chrf"};

TranslationSplit split_named(const std::string& name) {
  return name == "train"   ? TranslationSplit::kTrain
         : name == "valid" ? TranslationSplit::kValid
                           : TranslationSplit::kTest;
}

}  // namespace

struct Translation::Corpora {
  text::ParallelCorpus train, valid;
  std::optional<text::ParallelCorpus> test;
  int64_t batches = 0;  ///< micro-batches in an epoch
  int64_t source_tokens = 0, target_tokens = 0;
};

Translation::Translation(TranslationRecipe recipe)
    : recipe_(std::move(recipe)),
      tokenizers_(recipe_.open_or_train_tokenizers()),
      vocabulary_(recipe_.vocabulary(tokenizers_)) {}

const Translation::Corpora& Translation::corpora() const {
  if (corpora_) return *corpora_;
  const auto read = [&](TranslationSplit split) {
    auto options = data::parallel_options(recipe_.data, split, recipe_.model.max_positions);
    options.keeps_text = split == TranslationSplit::kTrain && recipe_.tokenizer.sampling_alpha > 0;
    return text::ParallelCorpus(data::parallel_files(recipe_.data, split, recipe_.data_root), *tokenizers_.source,
                                *tokenizers_.target, options);
  };
  Corpora all{.train = read(TranslationSplit::kTrain), .valid = read(TranslationSplit::kValid), .test = {}};
  if (has_test()) all.test = read(TranslationSplit::kTest);
  all.batches = epoch_of(all.train, 0).size();
  for (const text::PairLength& length : all.train.lengths()) {
    all.source_tokens += length.source;
    all.target_tokens += length.target + 1;
  }
  if (const int64_t wanted = recipe_.step.micro_batches(); all.batches < wanted)
    throw DataError(fmt::format("the training text makes {} micro-batches, but a step takes {}", all.batches, wanted),
                    "lower train.global_batch_tokens, or give more text");
  return *(corpora_ = std::make_shared<const Corpora>(std::move(all)));
}

const text::ParallelCorpus& Translation::corpus(const std::string& split) const {
  if (split == "train") return corpora().train;
  if (split == "valid") return corpora().valid;
  if (split != "test") throw UserError("translation has no split '" + split + "'", "use train, valid or test");
  if (!corpora().test) throw UserError("this recipe names no test text", "give data.test.src and data.test.tgt");
  return *corpora().test;
}

Workload Translation::workload() const {
  const auto& all = corpora();
  const int64_t micro_batches = recipe_.step.micro_batches();
  return {.hidden_size = recipe_.model.hidden_size,
          .rows_per_step = all.target_tokens * micro_batches / all.batches,
          .step = {.per_epoch = std::max<int64_t>((all.batches + micro_batches / 2) / micro_batches, 1),
                   .tokens = std::max<int64_t>(all.target_tokens * micro_batches / all.batches, 1)},
          .euclidean = recipe_.model.geometry == "euclidean",
          .counts_tokens = true};
}

void Translation::build(const nn::Build& build) {
  device_ = build.tensors.device();
  type_ = torch::typeMetaToScalarType(build.tensors.dtype());
  model_ = models::make_translation_model(recipe_.model, vocabulary_, build);
}

data::PairBatches Translation::epoch_of(const text::ParallelCorpus& corpus, int64_t epoch) const {
  using Order = data::PairBatches::Order;
  return {corpus.lengths(), recipe_.step.limit(), recipe_.seed, epoch,
          recipe_.data.shuffle ? Order::kShuffled : Order::kAsTheyLie};
}

models::TranslationBatch Translation::training_batch(int64_t micro_batch) const {
  const int64_t epoch = micro_batch / corpora().batches, index = micro_batch % corpora().batches;
  if (!epoch_ || epoch_->first != epoch) epoch_.emplace(epoch, epoch_of(corpora().train, epoch));
  return batch(corpora().train, epoch_->second[index],
               recipe_.tokenizer.sampling_alpha > 0 ? std::optional(epoch) : std::nullopt);
}

/// With sampling, each side is cut anew in each epoch, a pure function of (seed, epoch, pair); batches stay those of the
/// best segmentation.
models::TranslationBatch Translation::batch(const text::ParallelCorpus& corpus, std::span<const int64_t> pairs,
                                            std::optional<int64_t> sampled_in_epoch) const {
  using Sentence = std::vector<int32_t>;
  const auto drawn = [&](int64_t pair, bool is_source) {
    const auto index = combine(name_index(is_source ? "source pieces" : "target pieces"),
                               combine(static_cast<uint64_t>(*sampled_in_epoch), static_cast<uint64_t>(pair)));
    CounterRng rng(recipe_.seed, Stream::kData, index);
    const auto& [source, target] = corpus.text(pair);
    const auto most = data::longest_pair(recipe_.data, recipe_.model.max_positions);
    const auto longest = static_cast<size_t>(is_source ? most.source : most.target);
    Sentence ids;
    (is_source ? tokenizers_.source : tokenizers_.target)
        ->encode_sampled(is_source ? source : target, recipe_.tokenizer.sampling_alpha, rng, ids);
    ids.resize(std::min(ids.size(), longest));
    return ids;
  };
  std::vector<Sentence> sources, targets;
  for (const int64_t pair : pairs) {
    const auto source = corpus.source(pair), target = corpus.target(pair);
    sources.push_back(sampled_in_epoch ? drawn(pair, true) : Sentence(source.begin(), source.end()));
    targets.push_back(sampled_in_epoch ? drawn(pair, false) : Sentence(target.begin(), target.end()));
  }
  return padded(sources, targets);
}

/// Sentences side by side, with what stands around a target.
models::TranslationBatch Translation::padded(const std::vector<std::vector<int32_t>>& sources,
                                             const std::vector<std::vector<int32_t>>& targets) const {
  size_t source_width = 0, target_width = 0;
  for (const auto& source : sources) source_width = std::max(source_width, source.size());
  for (const auto& target : targets) target_width = std::max(target_width, target.size() + 2);
  const auto filled = [&](size_t width, int64_t padding) {
    return torch::full({std::ssize(sources), static_cast<int64_t>(width)}, padding, torch::kInt64);
  };
  models::TranslationBatch batch{.source = filled(source_width, vocabulary_.source_padding),
                                 .source_lengths = torch::empty({std::ssize(sources)}, torch::kInt64),
                                 .target = filled(target_width, vocabulary_.target_padding)};
  for (size_t row = 0; row < sources.size(); ++row) {
    batch.source_lengths.mutable_data_ptr<int64_t>()[row] = static_cast<int64_t>(sources[row].size());
    std::copy(sources[row].begin(), sources[row].end(), batch.source.mutable_data_ptr<int64_t>() + row * source_width);
    int64_t* const words = batch.target.mutable_data_ptr<int64_t>() + row * target_width;
    words[0] = vocabulary_.begin;
    std::copy(targets[row].begin(), targets[row].end(), words + 1);
    words[targets[row].size() + 1] = vocabulary_.end;
  }
  return batch;
}

Translation::Step Translation::make_step(int64_t step) const {
  const int64_t micro_batches = recipe_.step.micro_batches();
  Step made;
  for (int64_t part = 0; part < micro_batches; ++part) {
    const auto batch = training_batch(step * micro_batches + part);
    const int64_t* const words = batch.target.const_data_ptr<int64_t>();  // each row begins with one that is given
    made.targets += static_cast<double>(batch.target.numel() - batch.target.size(0) -
                                        std::count(words, words + batch.target.numel(), vocabulary_.target_padding));
    made.batches.push_back({.source = tensor::ready_to_send(batch.source, device_),
                            .source_lengths = tensor::ready_to_send(batch.source_lengths, device_),
                            .target = tensor::ready_to_send(batch.target, device_)});
  }
  return made;
}

models::TranslationBatch Translation::on_device(const models::TranslationBatch& batch) const {
  return {.source = tensor::send_to(batch.source, device_),
          .source_lengths = tensor::send_to(batch.source_lengths, device_),
          .target = tensor::send_to(batch.target, device_)};
}

StepShape Translation::step_shape(int64_t step) {
  corpora();  // by this thread
  if (!steps_) steps_.emplace([this](int64_t next) { return make_step(next); });
  step_ = steps_->take(step);
  return {.parts = std::ssize(step_.batches), .count = step_.targets};
}

/// A process that would have no row takes another one's: every process walks through the same graph.
Translation::OwnRows Translation::own_rows(int64_t part) const {
  const auto& batch = step_.batches[static_cast<size_t>(part)];
  const auto share = group().share_of(batch.source.size(0));
  const bool is_spare = share.first == share.second;
  const int64_t begin = is_spare ? 0 : share.first, end = is_spare ? 1 : share.second;
  const auto own = [&](const torch::Tensor& tensor) { return tensor.slice(0, begin, end); };
  return {
      .batch = {own(batch.source), own(batch.source_lengths), own(batch.target)}, .first = begin, .is_spare = is_spare};
}

nn::LossSum Translation::loss(const nn::Pass& pass, int64_t part) {
  nn::Pass mine = pass;
  for (int64_t before = 0; before < part; ++before)
    mine.first_row += step_.batches[static_cast<size_t>(before)].source.size(0);
  mine.recompute = recipe_.step.recompute == "blocks";
  const OwnRows rows = own_rows(part);
  mine.first_row += rows.first;
  const auto loss = model_->loss(on_device(rows.batch), {.label_smoothing = recipe_.step.label_smoothing}, mine);
  if (rows.is_spare) return {loss.sum * 0, 0, 0};
  return {loss.sum, loss.count, loss.nll.item<double>()};
}

Evaluated Translation::evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) {
  const torch::NoGradGuard no_grad;
  const auto& pairs = corpus(split);
  const int64_t examples = evaluated_pairs(split);
  std::vector<int64_t> order;
  for (int64_t pair = 0; pair < examples; ++pair)
    if (pairs.lengths()[static_cast<size_t>(pair)].source > 0) order.push_back(pair);  // nothing to translate
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return pairs.lengths()[static_cast<size_t>(a)].target < pairs.lengths()[static_cast<size_t>(b)].target;
  });
  std::vector<text::PairLength> lengths;
  for (const int64_t pair : order) lengths.push_back(pairs.lengths()[static_cast<size_t>(pair)]);
  std::array<double, 3> sums{};
  size_t first = 0;
  for (const size_t end : data::cut_batches(lengths, {.size = kDecodedTokens})) {
    between();
    const auto [own_begin, own_end] = group().share_of(static_cast<int64_t>(end - first));
    const auto own =
        std::span(order).subspan(first + static_cast<size_t>(own_begin), static_cast<size_t>(own_end - own_begin));
    first = end;
    if (own.empty()) continue;
    const auto loss = model_->loss(on_device(batch(pairs, own)), {}, pass);
    sums[0] += loss.nll.item<double>();
    sums[1] += loss.correct.item<double>();
    sums[2] += loss.count;
  }
  group().sum_(sums);
  const auto [nll, correct, count] = sums;
  Evaluated result{.metrics = {{"loss", nll / count},
                               {"ppl_token", std::exp(std::min(nll / count, kLargestNats))},
                               {"accuracy", correct / count}},
                   .examples = examples};
  if (decodes(split)) add_translations(split, pass, between, result);
  return result;
}

/// From the start of the split on.
int64_t Translation::evaluated_pairs(const std::string& split) const {
  const auto& lengths = corpus(split).lengths();
  const auto& most = recipe_.eval.max_batches;
  if (split != "valid" || !most) return static_cast<int64_t>(lengths.size());
  const auto ends = data::cut_batches(lengths, recipe_.step.limit());
  return static_cast<int64_t>(ends[std::min(static_cast<size_t>(*most), ends.size()) - 1]);
}

bool Translation::decodes(const std::string& split) const {
  const auto& wanted = recipe_.metrics;
  return split == "test" || wanted.empty() ||
         std::find_first_of(wanted.begin(), wanted.end(), kTextMetrics.begin(), kTextMetrics.end()) != wanted.end();
}

void Translation::add_translations(const std::string& split, const nn::Pass& pass, const BetweenBatches& between,
                                   Evaluated& result) {
  std::vector<std::string> sources, references, hypotheses;
  text::ParallelReader reader(data::parallel_files(recipe_.data, split_named(split), recipe_.data_root));
  for (text::SentencePair pair; std::ssize(sources) < result.examples && reader.next(pair);) {
    sources.push_back(pair.source);
    const std::string reference = recipe_.data.lowercase ? text::to_lower(pair.target) : pair.target;
    references.push_back(recipe_.tokenizer.type == "whitespace" ? text::without_joiners(reference) : reference);
  }
  hypotheses = translated_together(sources, pass, between);
  const std::vector<std::vector<std::string>> only = {references};
  for (const char* name : kTextMetrics)
    result.metrics[name] =
        metrics::corpus_score(*metrics::translation_metrics().at(name)(recipe_.scoring), hypotheses, only);
  for (size_t i = 0; i < sources.size(); ++i)
    result.translations.push_back({std::move(sources[i]), std::move(references[i]), std::move(hypotheses[i])});
  const auto shown = std::min(static_cast<size_t>(recipe_.eval.samples), result.translations.size());
  for (size_t i = 0; i < shown; ++i) result.samples.push_back(i * result.translations.size() / shown);
}

/// The best translation of every sentence, each found by one of the processes.
std::vector<std::string> Translation::translated_together(std::span<const std::string> sources, const nn::Pass& pass,
                                                          const BetweenBatches& between) {
  // Several processes come to the end of a batch at different times: they agree on a stop between rounds.
  const BetweenBatches none = [] {};
  const bool alone = group().is_alone();
  const size_t in_round = alone ? sources.size() : kDecodedInRound * static_cast<size_t>(group().size());
  std::vector<std::string> all;
  while (all.size() < sources.size()) {
    if (!alone) between();
    const auto round = sources.subspan(all.size(), std::min(in_round, sources.size() - all.size()));
    const auto [begin, end] = group().share_of(std::ssize(round));
    const auto own = round.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    nlohmann::json texts = nlohmann::json::array();
    for (auto& best : translate(own, recipe_.decode, kDecodedTokens, pass, alone ? between : none))
      texts.push_back(std::move(best.front().text));
    for (const std::string& part : group().gather(texts.dump()))
      for (const auto& text : nlohmann::json::parse(part)) all.push_back(text.get<std::string>());
  }
  return all;
}

std::map<std::string, std::string> Translation::signatures() const {
  std::map<std::string, std::string> signatures;
  for (const char* name : kTextMetrics)
    signatures[name] = metrics::translation_metrics().at(name)(recipe_.scoring)->signature(/*references=*/1);
  return signatures;
}

std::map<std::string, std::filesystem::path> Translation::tokenizer_files() const {
  const auto [source, target] = recipe_.tokenizer_paths();
  const std::string both = kept_sentence_tokenizer(recipe_.tokenizer);
  if (!both.empty()) return {{both, single_model_file(source)}};
  return {{recipe_.data.src_lang + source.extension().string(), source},
          {recipe_.data.tgt_lang + target.extension().string(), target}};
}

std::vector<std::pair<std::string, std::string>> Translation::facts() const {
  const auto& all = corpora();
  const auto& step = recipe_.step;
  const auto size = [](const text::ParallelCorpus& corpus) { return with_thousands(corpus.size()) + " pairs"; };
  std::vector<std::pair<std::string, std::string>> lines = {
      {"model", fmt::format("{} transformer, {} + {} blocks of width {}", recipe_.model.geometry,
                            recipe_.model.encoder_layers, recipe_.model.decoder_layers, recipe_.model.hidden_size)},
      {"vocabulary", fmt::format("{} {} and {} {} rows", with_thousands(vocabulary_.source_size), recipe_.data.src_lang,
                                 with_thousands(vocabulary_.target_size), recipe_.data.tgt_lang)},
      {"train", all.train.counts().summary()},
      {"", fmt::format("{} {} and {} {} tokens", with_thousands(all.source_tokens), recipe_.data.src_lang,
                       with_thousands(all.target_tokens), recipe_.data.tgt_lang)},
      {"valid", size(all.valid) + (recipe_.eval.max_batches ? fmt::format(", of which the first {} are evaluated",
                                                                          with_thousands(evaluated_pairs("valid")))
                                                            : "")}};
  if (all.test) lines.emplace_back("test", size(*all.test));
  lines.emplace_back(
      "step", fmt::format("{} of {} micro-batches of at most {} {}", step.micro_batches(), with_thousands(all.batches),
                          with_thousands(step.limit().size), step.max_tokens ? "tokens" : "pairs"));
  for (const auto& [name, signature] : signatures()) lines.emplace_back(name, signature);
  if (step.label_smoothing > 0) lines.emplace_back("smoothing", fmt::format("{}", step.label_smoothing));
  return lines;
}

std::string Translation::data_sha256() const {
  Sha256 digest;
  digest.update(tokenizers_.source->sha256() + tokenizers_.target->sha256());
  for (const auto* corpus : {&corpora().train, &corpora().valid})
    for (const auto& file : corpus->digests()) digest.update(file.sha256);
  return digest.hex();
}

}  // namespace sst::tasks
