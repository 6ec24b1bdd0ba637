#include "text/sentencepiece_training.hpp"

#include <fmt/format.h>
#include <sentencepiece_trainer.h>

#include <exception>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "text/utf8.hpp"

namespace sst::text {
namespace {

/// What the trainer reads. It knows no exceptions: one that `next` throws ends the sentences and waits in rethrow().
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const NextSentence& next) : next_(next) { Next(); }

  bool done() const override { return done_; }
  const std::string& value() const override { return sentence_; }
  sentencepiece::util::Status status() const override { return {}; }
  void Next() override {
    try {
      done_ = !next_(sentence_);
      ++number_;
      if (done_) return;
      require_utf8(sentence_);
    } catch (const DataError& error) {
      error_ = std::make_exception_ptr(DataError(fmt::format("sentence {}: {}", number_, error.what()), error.hint()));
      done_ = true;
    } catch (...) {
      error_ = std::current_exception();
      done_ = true;
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const NextSentence& next_;
  std::string sentence_;
  int64_t number_ = 0;
  bool done_ = false;
  std::exception_ptr error_;
};

std::unordered_map<std::string, std::string> training_arguments(const TokenizerOptions& options) {
  return {
      {"vocab_size", std::to_string(*options.vocab_size)},
      {"model_type", options.algorithm},
      {"character_coverage", fmt::format("{}", options.character_coverage)},
      {"normalization_rule_name", "nmt_nfkc"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "3"},
      {"input_sentence_size", "0"},
      {"shuffle_input_sentence", "false"},
      {"max_sentence_length", std::to_string(1 << 20)},
      {"num_threads", "16"},
      {"minloglevel", "2"},
  };
}

}  // namespace

void train_sentencepiece(const TokenizerOptions& options, const NextSentence& next, const std::filesystem::path& path) {
  if (!options.vocab_size)
    throw UserError("tokenizer.vocab_size is missing: a SentencePiece model is trained",
                    "give the number of pieces, for example  vocab_size: 8000");
  Sentences sentences(next);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(training_arguments(options), &sentences, &model);
  sentences.rethrow();
  if (!status.ok())
    throw UserError(fmt::format("SentencePiece cannot train {} pieces: {}", *options.vocab_size, status.message()),
                    "change tokenizer.vocab_size, or give more text");
  write_file_atomically(path, model);
}

}  // namespace sst::text
