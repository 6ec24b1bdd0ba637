#include "text/tokenizer.hpp"

#include "core/error.hpp"
#include "text/bytes.hpp"
#include "text/characters.hpp"
#include "text/gpt2_bpe.hpp"
#include "text/sentencepiece.hpp"
#include "text/whitespace.hpp"

namespace sst::text {

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options, const std::filesystem::path& data_root) {
  if (options.type == "bytes") {
    if (options.model)
      throw UserError("tokenizer.model is '" + options.model->text + "', but tokenizer.type bytes has no model",
                      "leave tokenizer.model out");
    return std::make_unique<Bytes>();
  }
  if (!options.model)
    throw UserError("tokenizer.model is missing: tokenizer.type " + options.type + " reads one",
                    options.type == "gpt2_bpe" ? "give the folder that holds vocab.json and merges.txt"
                                               : "give its file; `sst-train prepare` makes one");
  const std::filesystem::path path = data_root / options.model->text;
  if (options.type == "gpt2_bpe") return std::make_unique<Gpt2Bpe>(path);
  if (options.type == "sentencepiece") return std::make_unique<SentencePiece>(path);
  if (options.type == "characters") return std::make_unique<Characters>(path);
  if (options.type == "whitespace") return std::make_unique<Whitespace>(path);
  throw UserError("unknown tokenizer.type '" + options.type + "'");
}

int64_t padded_vocabulary(const Tokenizer& tokenizer, const TokenizerOptions& options) {
  const bool is_plain = options.type == "bytes" || options.type == "characters";
  const int64_t multiple = options.pad_vocab_to.value_or(is_plain ? 1 : 8);
  const int64_t over = tokenizer.size() % multiple;
  return over == 0 ? tokenizer.size() : tokenizer.size() + (multiple - over);
}

}  // namespace sst::text
