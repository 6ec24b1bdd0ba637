#include "text/sentencepiece.hpp"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "text/token_texts.hpp"
#include "text/utf8.hpp"
#include "text/vocabulary_file.hpp"

namespace sst::text {
namespace {

/// The model itself, or the only one in a folder.
std::filesystem::path model_file(const std::filesystem::path& path) {
  if (!is_folder(path)) return path;
  std::vector<std::string> models;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".model") models.push_back(entry.path().filename().string());
  std::sort(models.begin(), models.end());
  if (models.size() == 1) return path / models[0];
  fail_in(path, models.empty() ? "this folder has no SentencePiece model (*.model)"
                               : "this folder has several models, name one of them: " + join(models, ", "));
}

std::optional<int32_t> if_there(int id) { return id < 0 ? std::nullopt : std::optional<int32_t>(id); }

}  // namespace

SentencePiece::SentencePiece(const std::filesystem::path& model)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const std::filesystem::path path = model_file(model);
  const std::string bytes = read_file(path);
  const auto status = processor_->LoadFromSerializedProto(bytes);
  if (!status.ok() || processor_->GetPieceSize() == 0)
    fail_in(path, fmt::format("this is not a SentencePiece model{}{}", status.ok() ? "" : ": ", status.message()));
  sha256_ = sha256_hex("sentencepiece " + sha256_hex(bytes));
  std::vector<std::vector<int>> best;  // BPE has no list of the best
  const bool is_unigram = processor_->NBestEncode("a", 1, &best).ok();
  sampler_.set_rule(is_unigram ? SegmentationSampler::Rule::kUnigram : SegmentationSampler::Rule::kBpe);
  for (int id = 0; id < processor_->GetPieceSize(); ++id)
    if (!processor_->IsUnknown(id) && !processor_->IsControl(id) && !processor_->IsUnused(id) &&
        !processor_->IsByte(id))
      sampler_.add(processor_->IdToPiece(id), {id, processor_->GetScore(id)});
}

SentencePiece::~SentencePiece() = default;

void SentencePiece::encode(std::string_view text, std::vector<int32_t>& ids) const {
  require_utf8(text);
  std::vector<int> pieces;
  const auto status = processor_->Encode(text, &pieces);
  if (!status.ok()) throw DataError(fmt::format("SentencePiece cannot encode a text: {}", status.message()));
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

void SentencePiece::encode_sampled(std::string_view text, double alpha, CounterRng& rng,
                                   std::vector<int32_t>& ids) const {
  if (alpha == 0) return encode(text, ids);
  require_utf8(text);
  const std::string plain = normalised(text);
  const bool has_bytes = processor_->IsByte(processor_->PieceToId("<0x00>"));
  bool after_unknown = false;  // a run of unknown characters is one <unk>
  for (const std::string_view part : sampler_.draw(plain, alpha, rng)) {
    const auto* piece = sampler_.find(part);
    if (piece) ids.push_back(piece->id);
    if (!piece && has_bytes)
      for (const char byte : part)
        ids.push_back(processor_->PieceToId(fmt::format("<0x{:02X}>", static_cast<unsigned char>(byte))));
    if (!piece && !has_bytes && !after_unknown) ids.push_back(processor_->unk_id());
    after_unknown = !piece;
  }
}

/// What the pieces are cut from. The library tells it only through the pieces.
std::string SentencePiece::normalised(std::string_view text) const {
  std::vector<std::string> pieces;
  const auto status = processor_->Encode(text, &pieces);
  if (!status.ok()) throw DataError(fmt::format("SentencePiece cannot encode a text: {}", status.message()));
  std::string joined;
  for (const std::string& piece : pieces) {
    const bool is_byte = processor_->IsByte(processor_->PieceToId(piece));
    joined += is_byte ? std::string(1, static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16))) : piece;
  }
  return joined;
}

std::string SentencePiece::decode(std::span<const int32_t> ids) const {
  for (const int32_t id : ids) require_id(id, size());
  std::string text;
  const auto status = processor_->Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  if (!status.ok())
    throw DataError(fmt::format("SentencePiece cannot decode {} ids: {}", ids.size(), status.message()));
  return text;
}

int64_t SentencePiece::size() const { return processor_->GetPieceSize(); }
std::optional<int32_t> SentencePiece::separator() const { return if_there(processor_->eos_id()); }
std::optional<int32_t> SentencePiece::begin() const { return if_there(processor_->bos_id()); }
std::optional<int32_t> SentencePiece::padding() const { return if_there(processor_->pad_id()); }
std::optional<int32_t> SentencePiece::unknown() const { return if_there(processor_->unk_id()); }

std::string SentencePiece::piece(int32_t id) const {
  require_id(id, size());
  return processor_->IdToPiece(id);
}

std::string SentencePiece::join(std::span<const std::string> pieces) const {
  std::string text;
  const auto status = processor_->Decode(std::vector<std::string>(pieces.begin(), pieces.end()), &text);
  if (!status.ok())
    throw DataError(fmt::format("SentencePiece cannot join {} pieces: {}", pieces.size(), status.message()));
  return text;
}

}  // namespace sst::text
