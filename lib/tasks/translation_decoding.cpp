#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tasks/translation.hpp"
#include "text/unicode_properties.hpp"
#include "text/utf8.hpp"
#include "text/word_vocabulary.hpp"

// What a trained model does with sentences that are not of its data.
namespace sst::tasks {

/// What stands at a place of a source sentence: the word itself where text comes cut, since it may be unknown too.
std::string Translation::source_word(const std::string& line, const std::vector<int64_t>& ids, size_t place) const {
  if (recipe_.tokenizer.type != "whitespace") return tokenizers_.source->piece(static_cast<int32_t>(ids[place]));
  std::vector<std::string_view> words;
  text::each_word(line, [&](std::string_view word) { words.push_back(word); });
  return std::string(words.at(place));
}

std::vector<int64_t> Translation::source_ids(const std::string& line) const {
  std::vector<int32_t> ids;
  tokenizers_.source->encode(line, ids);
  if (const int64_t most = recipe_.model.max_positions; std::ssize(ids) > most)
    throw DataError(fmt::format("the sentence has {} tokens, but the model takes at most {}", ids.size(), most),
                    "shorten it: the model was trained with this model.max_positions");
  return {ids.begin(), ids.end()};
}

void Translation::require_translatable(const std::string& line) const {
  text::require_utf8(line);
  source_ids(recipe_.data.lowercase ? text::to_lower(line) : line);
}

std::vector<std::vector<TranslatedText>> Translation::translate(std::span<const std::string> lines,
                                                                const models::BeamOptions& options,
                                                                int64_t batch_tokens, const nn::Pass& pass,
                                                                const BetweenBatches& between) {
  const auto& target_words = *tokenizers_.target;
  std::vector<std::vector<int64_t>> sources;
  std::vector<std::string> texts_read;
  for (const std::string& line : lines) {
    texts_read.push_back(recipe_.data.lowercase ? text::to_lower(line) : line);
    sources.push_back(source_ids(texts_read.back()));
  }
  models::BeamOptions how = options;
  if (target_words.unknown()) how.repeatable_words = {*target_words.unknown()};
  const auto found = models::translate(*model_, sources, how, batch_tokens, pass, between);
  std::vector<std::vector<TranslatedText>> texts(lines.size());
  for (size_t i = 0; i < lines.size(); ++i)
    for (const auto& hypothesis : found[i]) {
      std::vector<std::string> pieces;
      for (size_t word = 0; word < hypothesis.words.size(); ++word) {
        const auto id = static_cast<int32_t>(hypothesis.words[word]);
        const bool replaced = options.replace_unk && target_words.unknown() == id && !hypothesis.alignment.empty();
        // Rows that only pad the vocabulary have no name.
        if (replaced)
          pieces.push_back(source_word(texts_read[i], sources[i], static_cast<size_t>(hypothesis.alignment[word])));
        else if (id < target_words.size())
          pieces.push_back(target_words.piece(id));
      }
      texts[i].push_back({target_words.join(pieces), join(pieces, " "), hypothesis.score});
    }
  return texts;
}

std::vector<PairScore> Translation::score(std::span<const text::SentencePair> pairs, int64_t batch_tokens,
                                          const nn::Pass& pass) {
  const auto encoded = [&](const text::Tokenizer& tokenizer, const std::string& text, const std::string& place,
                           int64_t most) {
    std::vector<int32_t> ids;
    tokenizer.encode(recipe_.data.lowercase ? text::to_lower(text) : text, ids);
    if (std::ssize(ids) > most)
      throw DataError(
          fmt::format("{}: the sentence has {} tokens, but the model takes at most {}", place, ids.size(), most));
    return ids;
  };
  std::vector<std::vector<int32_t>> sources, targets;
  std::vector<text::PairLength> lengths;
  std::vector<PairScore> scores(pairs.size());
  std::vector<size_t> order;
  for (const text::SentencePair& pair : pairs) {
    const int64_t most = recipe_.model.max_positions;
    sources.push_back(encoded(*tokenizers_.source, pair.source, pair.source_place, most));
    targets.push_back(encoded(*tokenizers_.target, pair.target, pair.target_place, most - 1));
    if (!sources.back().empty()) order.push_back(sources.size() - 1);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return targets[a].size() < targets[b].size(); });
  for (const size_t pair : order)
    lengths.push_back({static_cast<int32_t>(sources[pair].size()), static_cast<int32_t>(targets[pair].size())});
  size_t first = 0;
  for (const size_t end : data::cut_batches(lengths, {.size = batch_tokens})) {
    std::vector<std::vector<int32_t>> batch_sources, batch_targets;
    for (size_t i = first; i < end; ++i) {
      batch_sources.push_back(sources[order[i]]);
      batch_targets.push_back(targets[order[i]]);
    }
    const torch::Tensor log_p = model_->log_p(on_device(padded(batch_sources, batch_targets)), pass).cpu();
    for (size_t i = first; i < end; ++i)
      scores[order[i]] = {.log_p = log_p[static_cast<int64_t>(i - first)].item<double>(),
                          .tokens = lengths[i].target + 1};
    first = end;
  }
  return scores;
}

}  // namespace sst::tasks
