#include "models/beam_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "nn/top_words.hpp"

namespace sst::models {
namespace {

constexpr double kEndTooEarly = -1e20, kRepeats = -1e21, kHasEnded = -1e10;

/// One beginning of a translation.
struct Beam {
  std::vector<int64_t> words;  ///< begin token first
  std::vector<int64_t> alignment;
  double score = 0;  ///< Σ log p
};

struct Sentence {
  size_t index;  ///< in the batch as it was given
  std::vector<Beam> beams;
  std::vector<Hypothesis> found;
  bool best_has_ended = false;
};

struct Continuation {
  double score;  ///< normalised
  int64_t beam, word;
};

double length_norm(const BeamOptions& options, int64_t tokens) {
  const auto n = static_cast<double>(tokens + 1);
  if (options.length_norm == "wu") return std::pow((5 + n) / 6, options.length_penalty);
  return options.length_norm == "avg" ? n : 1;
}

/// Words that would complete an n-gram which the beam already has.
std::set<int64_t> repeating_words(const std::vector<int64_t>& words, const BeamOptions& options) {
  std::set<int64_t> repeating;
  const auto n = static_cast<size_t>(options.no_repeat_ngram);
  if (n == 0 || words.size() < n) return repeating;
  const auto may_repeat = [&](int64_t word) {
    return std::find(options.repeatable_words.begin(), options.repeatable_words.end(), word) !=
           options.repeatable_words.end();
  };
  const auto tail = words.end() - static_cast<std::ptrdiff_t>(n - 1);
  if (std::any_of(tail, words.end(), may_repeat)) return repeating;
  for (auto at = words.begin(); at + static_cast<std::ptrdiff_t>(n) <= words.end(); ++at) {
    const int64_t last = *(at + static_cast<std::ptrdiff_t>(n - 1));
    if (std::equal(tail, words.end(), at) && !may_repeat(last)) repeating.insert(last);
  }
  return repeating;
}

class Search {
 public:
  Search(BeamScorer& scorer, const std::vector<int64_t>& longest, int64_t begin, int64_t end,
         const BeamOptions& options)
      : scorer_(scorer), longest_(longest), end_(end), options_(options), results_(longest.size()) {
    // All beams of a sentence start alike; only the first may go on, or they would stay alike.
    std::vector<Beam> beams(static_cast<size_t>(options.beam_size),
                            {.words = {begin}, .alignment = {}, .score = -std::numeric_limits<double>::infinity()});
    beams[0].score = 0;
    for (size_t i = 0; i < longest.size(); ++i) open_.push_back({.index = i, .beams = beams, .found = {}});
  }

  std::vector<std::vector<Hypothesis>> run() {
    for (int64_t tokens = 1; !open_.empty(); ++tokens) step(tokens);
    return std::move(results_);
  }

 private:
  /// Every hypothesis gets its word number `tokens`.
  void step(int64_t tokens) {
    std::vector<int64_t> last;
    std::vector<std::set<int64_t>> repeating;
    size_t most_banned = 0;
    for (const Sentence& sentence : open_)
      for (const Beam& beam : sentence.beams) {
        last.push_back(beam.words.back());
        repeating.push_back(repeating_words(beam.words, options_));
        most_banned = std::max(most_banned, repeating.back().size());
      }
    // So many of a beam's likeliest words are enough, whatever may not be taken.
    const int64_t count = std::min(scorer_.vocabulary_size(), options_.beam_size + static_cast<int64_t>(most_banned) +
                                                                  (tokens <= options_.min_length ? 1 : 0));
    const auto next = scorer_.next(
        torch::tensor(last, torch::kInt64).view({static_cast<int64_t>(open_.size()), options_.beam_size}), count);
    if (!next.log_p.isfinite().all().item<bool>())
      throw DivergedError("the model's scores are not finite", "its training has diverged; use an earlier checkpoint");
    const torch::Tensor places = options_.replace_unk ? scorer_.looked_at() : torch::Tensor();

    std::vector<int64_t> rows;
    std::vector<Sentence> still_open;
    for (size_t s = 0; s < open_.size(); ++s) {
      const size_t first_row = s * static_cast<size_t>(options_.beam_size);
      const auto best = best_continuations(open_[s], next, s, &repeating[first_row], tokens);
      advance(open_[s], best, places.defined() ? places[static_cast<int64_t>(s)] : places, tokens);
      if (ends(open_[s])) {
        results_[open_[s].index] = ranked(std::move(open_[s].found));
        continue;
      }
      for (const Continuation& candidate : best) rows.push_back(static_cast<int64_t>(first_row) + candidate.beam);
      still_open.push_back(std::move(open_[s]));
    }
    open_ = std::move(still_open);
    if (!open_.empty()) scorer_.select(rows);
  }

  std::vector<Continuation> best_continuations(const Sentence& sentence, const NextWords& next, size_t row,
                                               const std::set<int64_t>* repeating, int64_t tokens) const {
    const int64_t beams = options_.beam_size, count = next.words.size(2);
    const auto from = static_cast<int64_t>(row) * beams * count;
    const double* const log_p = next.log_p.const_data_ptr<double>() + from;
    const int64_t* const words = next.words.const_data_ptr<int64_t>() + from;
    const double norm = length_norm(options_, tokens);
    std::vector<Continuation> all;
    for (int64_t beam = 0; beam < beams; ++beam)
      for (int64_t i = 0; i < count; ++i) {
        const int64_t word = words[beam * count + i];
        const bool too_early = word == end_ && tokens <= options_.min_length;
        const double score =
            sentence.beams[static_cast<size_t>(beam)].score + (too_early ? kEndTooEarly : log_p[beam * count + i]);
        all.push_back({repeating[beam].count(word) > 0 ? kRepeats : score / norm, beam, word});
      }
    std::stable_sort(all.begin(), all.end(),
                     [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
    all.resize(static_cast<size_t>(beams));
    return all;
  }

  void advance(Sentence& sentence, const std::vector<Continuation>& best, const torch::Tensor& places, int64_t tokens) {
    const bool is_last = tokens >= longest_[sentence.index];
    const double norm = length_norm(options_, tokens);
    std::vector<Beam> beams;
    for (size_t rank = 0; rank < best.size(); ++rank) {
      const Continuation& candidate = best[rank];
      Beam beam = sentence.beams[static_cast<size_t>(candidate.beam)];
      beam.words.push_back(candidate.word);
      beam.score = candidate.score * norm;
      if (places.defined()) beam.alignment.push_back(places[candidate.beam].item<int64_t>());
      const bool ended = candidate.word == end_;
      if (ended || is_last) {
        sentence.found.push_back(hypothesis(beam, candidate.score, ended));
        beam.score = kHasEnded;
        sentence.best_has_ended = sentence.best_has_ended || rank == 0;
      }
      beams.push_back(std::move(beam));
    }
    sentence.beams = std::move(beams);
  }

  static Hypothesis hypothesis(const Beam& beam, double score, bool ended) {
    const auto cut = [&](const std::vector<int64_t>& list, size_t first) {
      return std::vector<int64_t>(list.begin() + std::min(first, list.size()), list.end() - (ended ? 1 : 0));
    };
    return {.words = cut(beam.words, 1),
            .score = score,
            .ended = ended,
            .alignment = beam.alignment.empty() ? beam.alignment : cut(beam.alignment, 0)};
  }

  bool ends(const Sentence& sentence) const {
    return sentence.best_has_ended && sentence.found.size() >= static_cast<size_t>(options_.n_best);
  }

  std::vector<Hypothesis> ranked(std::vector<Hypothesis> found) const {
    std::stable_sort(found.begin(), found.end(),
                     [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
    found.resize(std::min(found.size(), static_cast<size_t>(options_.n_best)));
    return found;
  }

  BeamScorer& scorer_;
  const std::vector<int64_t>& longest_;
  int64_t end_;
  const BeamOptions& options_;
  std::vector<Sentence> open_;
  std::vector<std::vector<Hypothesis>> results_;
};

/// A translation model and the state of one batch.
class ModelScorer final : public BeamScorer {
 public:
  ModelScorer(TranslationModel& model, const Encoded& encoded, const BeamOptions& options, const nn::Pass& pass)
      : model_(model),
        state_(model.start(encoded, options.beam_size, pass)),
        pass_(pass),
        device_(encoded.memory.device()),
        wants_places_(options.replace_unk) {}

  NextWords next(const torch::Tensor& last, int64_t count) override {
    torch::Tensor weights;
    const torch::Tensor hidden =
        model_.decode_step(last.to(device_), state_, pass_, wants_places_ ? &weights : nullptr);
    const auto top = nn::top_words(model_.scores(hidden.view({-1, hidden.size(2)}), pass_), count);
    if (wants_places_) places_ = weights.argmax(2).cpu();
    const std::vector<int64_t> shape{last.size(0), last.size(1), count};
    return {top.log_p.view(shape), top.words.view(shape)};
  }
  void select(const std::vector<int64_t>& rows) override { state_.select(rows); }
  int64_t vocabulary_size() const override { return model_.vocabulary().target_size; }
  torch::Tensor looked_at() const override { return places_; }

 private:
  TranslationModel& model_;
  DecoderState state_;
  nn::Pass pass_;
  torch::Device device_;
  bool wants_places_;
  torch::Tensor places_;
};

/// Sentences of about one length as a padded batch.
Encoded encode_batch(TranslationModel& model, const std::vector<std::vector<int64_t>>& sources,
                     const std::vector<size_t>& chosen, const nn::Pass& pass) {
  size_t longest = 0;
  for (const size_t i : chosen) longest = std::max(longest, sources[i].size());
  std::vector<int64_t> ids, lengths;
  for (const size_t i : chosen) {
    ids.insert(ids.end(), sources[i].begin(), sources[i].end());
    ids.insert(ids.end(), longest - sources[i].size(), model.vocabulary().source_padding);
    lengths.push_back(static_cast<int64_t>(sources[i].size()));
  }
  const torch::Device device = model.parameters().front().device();
  const auto on_device = [&](const std::vector<int64_t>& list) {
    return torch::tensor(list, torch::kInt64).to(device);
  };
  return model.encode(on_device(ids).view({static_cast<int64_t>(chosen.size()), -1}), on_device(lengths), pass);
}

}  // namespace

int64_t BeamOptions::longest(int64_t source_length) const {
  const double length = std::floor(max_len_a * static_cast<double>(source_length) + static_cast<double>(max_len_b));
  return std::max<int64_t>(1, static_cast<int64_t>(length));
}

std::vector<std::vector<Hypothesis>> beam_search(BeamScorer& scorer, const std::vector<int64_t>& longest, int64_t begin,
                                                 int64_t end, const BeamOptions& options) {
  if (options.n_best > options.beam_size)
    throw UserError("the " + std::to_string(options.n_best) +
                        " best translations were asked for, but the beam size is " + std::to_string(options.beam_size),
                    "ask for a beam of at least that size");
  return Search(scorer, longest, begin, end, options).run();
}

std::vector<std::vector<Hypothesis>> translate(TranslationModel& model,
                                               const std::vector<std::vector<int64_t>>& sources,
                                               const BeamOptions& options, int64_t batch_tokens, const nn::Pass& pass,
                                               const std::function<void()>& between) {
  const torch::NoGradGuard no_grad;
  std::vector<std::vector<Hypothesis>> results(sources.size());
  std::vector<size_t> order;
  for (size_t i = 0; i < sources.size(); ++i)
    if (sources[i].empty())
      results[i] = {{.words = {}, .score = 0, .ended = true, .alignment = {}}};
    else
      order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sources[a].size() > sources[b].size(); });
  for (size_t first = 0; first < order.size();) {
    between();
    const auto width = static_cast<int64_t>(sources[order[first]].size());
    const size_t size = std::min(order.size() - first, static_cast<size_t>(std::max<int64_t>(1, batch_tokens / width)));
    const std::vector<size_t> chosen(order.begin() + static_cast<std::ptrdiff_t>(first),
                                     order.begin() + static_cast<std::ptrdiff_t>(first + size));
    std::vector<int64_t> longest;
    for (const size_t i : chosen)
      longest.push_back(
          std::min(options.longest(static_cast<int64_t>(sources[i].size())), model.options().max_positions));
    ModelScorer scorer(model, encode_batch(model, sources, chosen, pass), options, pass);
    auto found = beam_search(scorer, longest, model.vocabulary().begin, model.vocabulary().end, options);
    for (size_t i = 0; i < size; ++i) results[chosen[i]] = std::move(found[i]);
    first += size;
  }
  return results;
}

}  // namespace sst::models
