#include "text/parallel_text.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/error.hpp"

namespace sst::text {
namespace {

[[noreturn]] void fail_unequal(const LineReader& ended, const LineReader& goes_on) {
  throw DataError(
      fmt::format("{}: the file ends with this line, but {} goes on", ended.where(), goes_on.path().string()),
      "line i of the source must belong to line i of the target");
}

}  // namespace

ParallelReader::ParallelReader(ParallelFiles files) : files_(std::move(files)) {
  if (files_.source.size() != files_.target.size())
    throw DataError(fmt::format("parallel text has {} files of sources and {} of targets", files_.source.size(),
                                files_.target.size()),
                    "file k of one list belongs to file k of the other");
  if (files_.source.empty()) throw DataError("parallel text names no file");
  for (const auto* side : {&files_.source, &files_.target})
    for (const auto& path : *side) LineReader check(path);  // all are there before the first is read
}

bool ParallelReader::next(SentencePair& pair) {
  for (;;) {
    if (!source_) {
      if (opened_ == files_.source.size()) return false;
      source_ = std::make_unique<LineReader>(files_.source[opened_]);
      target_ = std::make_unique<LineReader>(files_.target[opened_]);
      ++opened_;
    }
    const bool has_source = source_->next(pair.source), has_target = target_->next(pair.target);
    if (has_source != has_target) fail_unequal(has_source ? *target_ : *source_, has_source ? *source_ : *target_);
    if (has_source) {
      pair.source_place = source_->where();
      pair.target_place = target_->where();
      return true;
    }
    close_files();
  }
}

void ParallelReader::close_files() {
  if (source_->line() == 0) throw DataError("'" + source_->path().string() + "' holds no line");
  digests_.push_back(source_->finish());
  digests_.push_back(target_->finish());
  source_.reset();
  target_.reset();
}

}  // namespace sst::text
