#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/translation_model.hpp"
#include "recipe/words.hpp"

namespace sst::models {

/// How translations are searched; `decode.*` of a recipe's section `eval`.
struct BeamOptions {
  int64_t beam_size = 5;  ///< 1: greedy
  std::string length_norm = "wu";
  double length_penalty = 1;
  int64_t min_length = 0;
  double max_len_a = 1;
  int64_t max_len_b = 50;
  int64_t no_repeat_ngram = 0;
  bool replace_unk = false;  ///< asks for alignments; the words themselves are the caller's to put in

  int64_t n_best = 1;                          ///< hypotheses that a search must have found before it ends
  std::vector<int64_t> repeatable_words = {};  ///< an n-gram with one of these may come again

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(beam_size, "decode.beam_size", between(1, 1024), "hypotheses that are followed at a time; 1 = greedy");
    field(length_norm, "decode.length_norm", one_of({"wu", "avg", "none"}),
          "what a hypothesis of t tokens is divided by, n = t + 1: wu ((5 + n) / 6)^length_penalty, avg n, none 1");
    field(length_penalty, "decode.length_penalty", at_least(0), "exponent of length_norm wu");
    field(min_length, "decode.min_length", at_least(0), "no end before so many tokens");
    field(max_len_a, "decode.max_len_a", at_least(0),
          "a translation has at most max_len_a · source length + max_len_b");
    field(max_len_b, "decode.max_len_b", at_least(0), "tokens; see max_len_a");
    field(no_repeat_ngram, "decode.no_repeat_ngram", at_least(0), "no n-gram of so many tokens comes twice; 0 = off");
    field(replace_unk, "decode.replace_unk", anything(),
          "an unknown word is replaced by the source word that the last layer's first head looks at most");
  }

  /// ⌊a · length + b⌋, at least 1.
  int64_t longest(int64_t source_length) const;
};

struct Hypothesis {
  std::vector<int64_t> words;      ///< without begin and end
  double score = 0;                ///< Σ log p over words and end, divided by the length norm
  bool ended = false;              ///< false: cut at the longest length
  std::vector<int64_t> alignment;  ///< for each word the source position looked at most; empty unless asked for
};

/// The likeliest next words of every beam, on the CPU, likeliest first.
struct NextWords {
  torch::Tensor log_p;  ///< float64 [sentences, beams, count]
  torch::Tensor words;  ///< int64, the same shape
};

/// What the search asks of a model. Rows are numbered sentence · beams + beam.
class BeamScorer {
 public:
  virtual ~BeamScorer() = default;
  /// `last` int64 [sentences, beams]: what each beam has just been given; the begin token first.
  virtual NextWords next(const torch::Tensor& last, int64_t count) = 0;
  /// Row i becomes what row rows[i] was; sentences without a row are finished. Never asked to mix sentences.
  virtual void select(const std::vector<int64_t>& rows) = 0;
  virtual int64_t vocabulary_size() const = 0;
  /// The source position that each beam looked at most in the last next(), int64 [sentences, beams] on the CPU.
  virtual torch::Tensor looked_at() const { return {}; }
};

/// Beam search over a batch of sentences. Each sentence ends when the best beam of some step has ended and n_best
/// hypotheses are stored, or at its longest length; it then leaves the batch.
///   longest   for each sentence the most tokens of a hypothesis, end included
///   returns   for each sentence its best hypotheses, at most n_best, best first
///   throws    UserError when n_best is more than beam_size; DivergedError when scores are not finite
///   source    OpenNMT-py 1.1.1, without its defects: blocked n-grams are those of one hypothesis
std::vector<std::vector<Hypothesis>> beam_search(BeamScorer& scorer, const std::vector<int64_t>& longest, int64_t begin,
                                                 int64_t end, const BeamOptions& options);

/// Translates sentences of word ids, longest first in batches of up to `batch_tokens` padded source words; the result
/// does not depend on it. An empty sentence has one empty translation of score 0.
///   between   called before each batch; what it throws ends the search
///   returns   for each sentence, in the given order, its best hypotheses, best first
std::vector<std::vector<Hypothesis>> translate(
    TranslationModel& model, const std::vector<std::vector<int64_t>>& sources, const BeamOptions& options,
    int64_t batch_tokens = 4096, const nn::Pass& pass = {}, const std::function<void()>& between = [] {});

}  // namespace sst::models
