#include "text/byte_source.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace sst::text {
namespace {

constexpr size_t kFileBlock = 1 << 18;

[[noreturn]] void fail_to_read(const std::filesystem::path& path) {
  throw DataError("cannot read '" + path.string() + "': " + std::strerror(errno));
}

}  // namespace

FileSource::FileSource(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)), buffer_(kFileBlock, '\0') {
  if (descriptor_ < 0) fail_to_read(path_);
}

FileSource::~FileSource() { ::close(descriptor_); }

std::string_view FileSource::read() {
  ssize_t got = ::read(descriptor_, buffer_.data(), buffer_.size());
  while (got < 0 && errno == EINTR) got = ::read(descriptor_, buffer_.data(), buffer_.size());
  if (got < 0) fail_to_read(path_);
  const std::string_view block(buffer_.data(), static_cast<size_t>(got));
  digest_.update(block);
  bytes_ += block.size();
  return block;
}

FileDigest FileSource::finish() {
  while (!read().empty()) continue;
  return {bytes_, digest_.hex()};
}

}  // namespace sst::text
