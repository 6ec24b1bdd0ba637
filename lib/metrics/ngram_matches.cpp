#include "metrics/ngram_matches.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace sst::metrics {
namespace {

uint64_t edge_of(uint32_t node, uint32_t token) { return uint64_t{node} << 32 | token; }

}  // namespace

size_t WordNumbers::slot_of(std::string_view word) const {
  const size_t mask = slots_.size() - 1;
  size_t at = std::hash<std::string_view>{}(word)&mask;
  while (slots_[at].number != kUnknownWord && slots_[at].word != word) at = (at + 1) & mask;
  return at;
}

void WordNumbers::number(std::span<const std::string_view> words, std::vector<uint32_t>& numbers) {
  slots_.assign(std::bit_ceil(2 * words.size() + 1), {});
  words_ = 0;
  numbers.clear();
  for (const std::string_view word : words) {
    Slot& slot = slots_[slot_of(word)];
    if (slot.number == kUnknownWord) slot = {word, static_cast<uint32_t>(words_++)};
    numbers.push_back(slot.number);
  }
}

void WordNumbers::look_up(std::span<const std::string_view> words, std::vector<uint32_t>& numbers) const {
  numbers.clear();
  for (const std::string_view word : words) numbers.push_back(slots_[slot_of(word)].number);
}

size_t NgramMatches::slot_of(uint64_t edge) const {
  const size_t mask = slots_.size() - 1;
  const uint64_t mixed = edge * 0x9E3779B97F4A7C15u;
  size_t at = static_cast<size_t>(mixed >> 32) & mask;
  while (slots_[at].sentence == sentence_ && slots_[at].edge != edge) at = (at + 1) & mask;
  return at;
}

void NgramMatches::set_hypothesis(std::span<const uint32_t> tokens) {
  const size_t needed = std::bit_ceil(2 * tokens.size() * matches_.size() + 1);
  if (++sentence_ == 0 || needed > slots_.size()) {  // the first sentence is 1, so that fresh slots are empty
    slots_.assign(std::max(needed, slots_.size()), {});
    sentence_ = 1;
  }
  counts_.assign(1, {});  // the root
  std::fill(matches_.begin(), matches_.end(), 0);
  for (size_t start = 0; start < tokens.size(); ++start) {
    const size_t longest = std::min(matches_.size(), tokens.size() - start);
    uint32_t node = 0;
    for (size_t i = 0; i < longest; ++i) {
      const uint64_t edge = edge_of(node, tokens[start + i]);
      Slot& slot = slots_[slot_of(edge)];
      if (slot.sentence != sentence_) {
        slot = {edge, static_cast<uint32_t>(counts_.size()), sentence_};
        counts_.emplace_back();
      }
      node = slot.node;
      ++counts_[node].hypothesis;
    }
  }
}

void NgramMatches::add_reference(std::span<const uint32_t> tokens) {
  for (Counts& counts : counts_) counts.reference = 0;
  for (size_t start = 0; start < tokens.size(); ++start) {
    const size_t longest = std::min(matches_.size(), tokens.size() - start);
    uint32_t node = 0;
    for (size_t i = 0; i < longest; ++i) {
      const Slot& slot = slots_[slot_of(edge_of(node, tokens[start + i]))];
      if (slot.sentence != sentence_) break;
      node = slot.node;
      Counts& counts = counts_[node];
      if (++counts.reference <= counts.references) continue;
      counts.references = counts.reference;
      if (counts.references <= counts.hypothesis) ++matches_[i];
    }
  }
}

void NgramMatches::forget_references() {
  for (Counts& counts : counts_) counts.references = 0;
  std::fill(matches_.begin(), matches_.end(), 0);
}

}  // namespace sst::metrics
