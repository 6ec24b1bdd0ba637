#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/segmentation_sampler.hpp"
#include "text/tokenizer.hpp"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace sst::text {

/// A SentencePiece model (Kudo and Richardson 2018) of any type, with the normaliser that it carries. The separator is
/// its end-of-sentence id. Without byte fallback a run of unknown characters becomes `<unk>`.
class SentencePiece final : public SentenceTokenizer {
 public:
  /// A model file, or a folder with one file *.model.
  ///   throws    DataError with path and reason
  explicit SentencePiece(const std::filesystem::path& model);
  ~SentencePiece() override;

  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  void encode_sampled(std::string_view text, double alpha, CounterRng& rng, std::vector<int32_t>& ids) const override;
  /// Control pieces such as `</s>` stand for nothing, `<unk>` for " ⁇ ".
  std::string decode(std::span<const int32_t> ids) const override;

  int64_t size() const override;
  std::optional<int32_t> separator() const override;
  std::string sha256() const override { return sha256_; }

  std::optional<int32_t> begin() const override;
  std::optional<int32_t> padding() const override;
  std::optional<int32_t> unknown() const override;
  std::string piece(int32_t id) const override;
  std::string join(std::span<const std::string> pieces) const override;

 private:
  std::string normalised(std::string_view text) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  SegmentationSampler sampler_;
  std::string sha256_;
};

}  // namespace sst::text
