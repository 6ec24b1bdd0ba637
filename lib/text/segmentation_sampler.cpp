#include "text/segmentation_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "text/utf8.hpp"

namespace sst::text {
namespace {

constexpr double kUnknownPenalty = 10;  // SentencePiece's: below the rarest piece

size_t character_bytes(std::string_view text, size_t at) {
  const char* next = text.data() + at;
  next_code_point(next);
  return static_cast<size_t>(next - text.data()) - at;
}

double log_add(double a, double b) {
  const double most = std::max(a, b);
  return std::isinf(most) ? most : most + std::log1p(std::exp(std::min(a, b) - most));
}

}  // namespace

void SegmentationSampler::add(const std::string& text, Piece piece) {
  pieces_.emplace(text, piece);
  longest_ = std::max(longest_, text.size());
  least_score_ = std::min(least_score_, piece.score);
}

const SegmentationSampler::Piece* SegmentationSampler::find(std::string_view text) const {
  const auto found = pieces_.find(text);
  return found == pieces_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> SegmentationSampler::draw(std::string_view text, double alpha, CounterRng& rng) const {
  if (text.empty()) return {};
  return rule_ == Rule::kUnigram ? draw_unigram(text, alpha, rng) : draw_bpe(text, alpha, rng);
}

/// Forward: the log of the summed weights of all ways to each place. Backward: the last part is drawn, then the one
/// before it.
std::vector<std::string_view> SegmentationSampler::draw_unigram(std::string_view text, double alpha,
                                                                CounterRng& rng) const {
  struct Part {
    size_t begin;
    double log_weight;  // of this part and all ways to its begin
  };
  std::vector<std::vector<Part>> ending(text.size() + 1);
  std::vector<double> reached(text.size() + 1, -std::numeric_limits<double>::infinity());
  reached[0] = 0;
  for (size_t begin = 0, character = 0; begin < text.size(); begin += character) {
    character = character_bytes(text, begin);
    const auto offer = [&](size_t end, double score) {
      ending[end].push_back({begin, reached[begin] + alpha * score});
      reached[end] = log_add(reached[end], ending[end].back().log_weight);
    };
    for (size_t end = begin + character;; end += character_bytes(text, end)) {
      if (const Piece* piece = find(text.substr(begin, end - begin)))
        offer(end, piece->score);
      else if (end == begin + character)
        offer(end, least_score_ - kUnknownPenalty);
      if (end == text.size() || end - begin >= longest_) break;
    }
  }
  std::vector<std::string_view> parts;
  for (size_t end = text.size(); end > 0;) {
    double left = rng.uniform();
    const Part* drawn = nullptr;
    for (const Part& part : ending[end]) {
      drawn = &part;
      left -= std::exp(part.log_weight - reached[end]);
      if (left < 0) break;
    }
    parts.push_back(text.substr(drawn->begin, end - drawn->begin));
    end = drawn->begin;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SegmentationSampler::draw_bpe(std::string_view text, double alpha,
                                                            CounterRng& rng) const {
  // A symbol is known by where it begins; one that was merged into its left neighbour has length 0.
  std::vector<size_t> length(text.size()), before(text.size());
  for (size_t at = 0, last = 0; at < text.size(); last = at, at += length[at]) {
    length[at] = character_bytes(text, at);
    before[at] = last;
  }
  struct Candidate {
    float score;
    size_t begin, bytes;
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : begin > other.begin;
    }
  };
  std::priority_queue<Candidate> candidates;
  const auto merged_length = [&](size_t begin) {
    const size_t next = begin + length[begin];
    return next < text.size() ? length[begin] + length[next] : 0;
  };
  const auto propose = [&](size_t begin) {
    const size_t bytes = merged_length(begin);
    if (bytes == 0) return;
    if (const Piece* piece = find(text.substr(begin, bytes))) candidates.push({piece->score, begin, bytes});
  };
  for (size_t at = 0; at < text.size(); at += length[at]) propose(at);
  while (!candidates.empty()) {
    const auto [score, begin, bytes] = candidates.top();
    candidates.pop();
    if (length[begin] == 0 || merged_length(begin) != bytes || rng.uniform() < alpha) continue;
    length[begin + length[begin]] = 0;
    length[begin] = bytes;
    if (begin + bytes < text.size()) before[begin + bytes] = begin;
    if (begin > 0) propose(before[begin]);
    propose(begin);
  }
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < text.size(); at += length[at]) parts.push_back(text.substr(at, length[at]));
  return parts;
}

}  // namespace sst::text
