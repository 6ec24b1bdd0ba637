#pragma once

#include "metrics/bleu.hpp"

namespace sst::metrics {

struct MultiBleuOptions {
  bool detokenized = false;  ///< multi-bleu-detok.perl, which tokenizes as mteval-v13a; else the text is tokenized
  bool lowercase = false;    ///< -lc
};

/// The figure of Moses' multi-bleu.perl and multi-bleu-detok.perl, for comparison with older papers: no smoothing, and
/// Perl's ideas of lower case and white space (of bytes in the first script, of characters in the second).
class MultiBleu final : public Bleu {
 public:
  explicit MultiBleu(MultiBleuOptions options = {});

  std::string name() const override { return multi_.detokenized ? "multi-bleu-detok" : "multi-bleu"; }
  std::string settings() const override;
  std::string details(std::span<const int64_t> sums) const override;

  /// The line that the script prints: "BLEU = 47.22, 81.2/60.1/40.3/26.9 (BP=0.985, ratio=0.985, hyp_len=746, …)".
  std::string line(std::span<const int64_t> sums) const;

 protected:
  void cut(std::string_view text, std::string& buffer, std::vector<std::string_view>& words) const override;

 private:
  MultiBleuOptions multi_;
};

}  // namespace sst::metrics
