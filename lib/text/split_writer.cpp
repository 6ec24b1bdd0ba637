#include "text/split_writer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <utility>

#include "core/fault.hpp"

namespace sst::text {

SplitWriter::SplitWriter(std::filesystem::path folder, std::string name, TokenType type, int64_t shard_tokens)
    : folder_(std::move(folder)), name_(std::move(name)), type_(type), shard_tokens_(shard_tokens) {}

void SplitWriter::write(const EncodedDocument& document) {
  ++split_.documents;
  split_.bytes += document.text_bytes;
  *split_.words += document.words;
  split_.tokens += static_cast<int64_t>(document.ids.size());
  for (std::span<const int32_t> rest = document.ids; !rest.empty();) {  // a document may go on in the next shard
    if (!shard_) open();
    const auto part = std::min(rest.size(), static_cast<size_t>(shard_tokens_ - shard_->tokens()));
    shard_->write(rest.first(part));
    rest = rest.subspan(part);
    if (shard_->tokens() == shard_tokens_) close();
  }
}

SplitEntry SplitWriter::finish() {
  if (shard_) close();
  return split_;
}

void SplitWriter::open() {
  fault_point("prepare.shard");
  split_.shards.push_back(
      {.name = fmt::format("{}_{:06}.bin", name_, split_.shards.size()), .tokens = 0, .sha256 = {}});
  shard_ = std::make_unique<TokenFileWriter>(folder_ / split_.shards.back().name, type_);
}

void SplitWriter::close() {
  split_.shards.back().tokens = shard_->tokens();
  split_.shards.back().sha256 = shard_->finish().sha256;
  shard_.reset();
}

}  // namespace sst::text
