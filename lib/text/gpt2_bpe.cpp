#include "text/gpt2_bpe.hpp"

#include "core/error.hpp"
#include "core/file.hpp"
#include "text/gpt2_files.hpp"
#include "text/gpt2_pieces.hpp"
#include "text/utf8.hpp"

namespace sst::text {

Gpt2Bpe::Gpt2Bpe(const std::filesystem::path& folder) : merges_(0) {
  const std::string vocab = read_file(folder / "vocab.json"), merges = read_file(folder / "merges.txt");
  Gpt2Vocabulary vocabulary = parse_gpt2_vocabulary(folder / "vocab.json", vocab);
  merges_ = parse_gpt2_merges(folder / "merges.txt", merges, vocabulary);
  byte_ids_ = vocabulary.byte_ids;
  for (const char* name : {"</s>", "<|endoftext|>"})
    if (const auto found = vocabulary.ids.find(name); found != vocabulary.ids.end() && !separator_)
      separator_ = found->second;
  texts_ = std::move(vocabulary.texts);
  sha256_ = sha256_hex("gpt2_bpe " + sha256_hex(vocab) + " " + sha256_hex(merges));
}

void Gpt2Bpe::encode(std::string_view text, std::vector<int32_t>& ids) const {
  require_utf8(text);
  const Pool<Workspace>::Loan loan(workspaces_);
  Workspace& workspace = *loan;
  const char* const end = text.data() + text.size();
  for (const char *at = text.data(), *stop = at; at != end; at = stop) {
    stop = gpt2_piece_end(at, end);
    const auto bytes = static_cast<size_t>(stop - at);
    const auto append = [&](std::span<const int32_t> merged) { ids.insert(ids.end(), merged.begin(), merged.end()); };
    if (bytes > PieceCache::Key::kMostBytes) {
      append(merge({at, bytes}, workspace));
      continue;
    }
    const PieceCache::Key key(at, bytes, static_cast<size_t>(end - at));
    PieceCache::Entry& entry = workspace.cache.place_of(key);
    if (entry.key == key) {
      for (const int32_t id : entry.ids) {
        if (id < 0) break;
        ids.push_back(id);
      }
    } else {
      const auto merged = merge({at, bytes}, workspace);
      PieceCache::store(entry, key, merged);
      append(merged);
    }
  }
}

void Gpt2Bpe::encode_with_separators(std::string_view text, std::vector<int32_t>& ids) const {
  if (!separator_) return encode(text, ids);
  const std::string_view name = texts_.at(*separator_);
  for (size_t found = text.find(name); found != std::string_view::npos; found = text.find(name)) {
    encode(text.substr(0, found), ids);
    ids.push_back(*separator_);
    text.remove_prefix(found + name.size());
  }
  encode(text, ids);
}

std::string Gpt2Bpe::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text += texts_.at(id);
  return text;
}

std::span<const int32_t> Gpt2Bpe::merge(std::string_view piece, Workspace& workspace) const {
  std::vector<int32_t>& merged = workspace.merged;
  merged.clear();
  for (const char byte : piece) merged.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  merges_.apply(merged);
  return merged;
}

}  // namespace sst::text
