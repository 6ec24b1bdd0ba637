#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/words.hpp"

namespace sst {
class CounterRng;
}

namespace sst::text {

/// `tokenizer` of a recipe.
struct TokenizerOptions {
  std::string type;
  std::optional<recipe::Path> model;
  std::optional<int64_t> vocab_size;
  std::string algorithm = "bpe";
  bool joint = true;
  double character_coverage = 1.0;
  double sampling_alpha = 0;
  std::optional<int64_t> pad_vocab_to;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(type, "type", one_of({"sentencepiece", "gpt2_bpe", "whitespace", "bytes", "characters"}).required(),
          "how text becomes ids; gpt2_bpe is OPT's too, whitespace means text that is cut already");
    field(model, "model", anything(),
          "file or folder of a trained tokenizer, relative to data_root; default: `prepare` trains one");
    field(vocab_size, "vocab_size", at_least(1), "pieces of a tokenizer that is trained here");
    field(algorithm, "algorithm", one_of({"bpe", "unigram"}), "how SentencePiece is trained");
    field(joint, "joint", anything(), "one vocabulary for both languages (translation)");
    field(character_coverage, "character_coverage", fraction(), "share of the characters SentencePiece has to know");
    field(sampling_alpha, "sampling_alpha", at_least(0),
          "subword regularisation of the training text; 0: always the best segmentation");
    field(pad_vocab_to, "pad_vocab_to", at_least(1),
          "the model's vocabulary is rounded up to a multiple of this; default: 8, and 1 for bytes and characters");
  }
};

/// Text to ids and back. One object serves any number of threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Appends the ids of UTF-8 text; nothing is put before or after it, and names of special tokens are plain text.
  ///   throws    DataError when the text is not UTF-8, or holds what the vocabulary cannot express
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) const = 0;
  /// One of the ways to cut the text, drawn from `rng` (`sampling_alpha`): SentencePiece's unigram models draw in
  /// proportion to probability^alpha, its BPE models leave out each merge with probability alpha. With alpha 0, and for
  /// tokenizers that know one way only, this is encode().
  virtual void encode_sampled(std::string_view text, double /*alpha*/, CounterRng& /*rng*/,
                              std::vector<int32_t>& ids) const {
    encode(text, ids);
  }
  /// The bytes that the ids stand for; a cut sequence can be malformed UTF-8. Ids out of range throw DataError.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  virtual int64_t size() const = 0;                      ///< ids are 0 … size − 1
  virtual std::optional<int32_t> separator() const = 0;  ///< what stands between documents; nothing for characters
  virtual std::string sha256() const = 0;                ///< of all that decides what encode() returns
};

/// A tokenizer of single sentences: it knows what stands around one, and what its pieces are called.
class SentenceTokenizer : public Tokenizer {
 public:
  virtual std::optional<int32_t> begin() const = 0;    ///< in front of a sentence; its end is separator()
  virtual std::optional<int32_t> padding() const = 0;  ///< behind the end
  virtual std::optional<int32_t> unknown() const = 0;  ///< what a word without an id becomes
  /// The id's name in the vocabulary, such as "▁Haus" or "Hau@@". Ids out of range throw DataError.
  virtual std::string piece(int32_t id) const = 0;
  /// The text that pieces stand for; they need not be in the vocabulary.
  virtual std::string join(std::span<const std::string> pieces) const = 0;
};

/// The tokenizer that the options name, read from its files.
///   throws    DataError with file, place and reason; UserError when `model` is needed and missing
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options, const std::filesystem::path& data_root);

/// Rows of the embedding: `size` rounded up to the multiple that the options ask for.
int64_t padded_vocabulary(const Tokenizer& tokenizer, const TokenizerOptions& options);

}  // namespace sst::text
