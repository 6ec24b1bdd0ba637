#include "text/token_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "text/llm_c_header.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "token files are little-endian and mapped as they are");

constexpr size_t kWriteBuffer = 1 << 20;

[[noreturn]] void refuse(const fs::path& path, const std::string& reason, const std::string& hint = {}) {
  throw DataError("'" + path.string() + "' is no token file: " + reason, hint);
}

/// A file whose first kilobyte is a header of llm.c's kind, whatever its magic: after three numbers nothing but zeros,
/// which as tokens would be 506 times the same one.
bool looks_like_header(const char* bytes, size_t size) {
  return size >= kLlmCHeaderBytes && std::all_of(bytes + 12, bytes + kLlmCHeaderBytes, [](char c) { return c == 0; });
}

/// What the system sends when a page of a mapped file is not there any more: somebody has made the file shorter, or its disk
/// fails. Nothing of the run is lost by ending here: saves are written beside the old ones.
void end_for_lost_page(int) {
  constexpr std::string_view kMessage =
      "error: a token file that is being read became shorter, or its disk failed\n"
      "   hint: restore the data and start again: the run goes on from its last checkpoint\n";
  if (::write(STDERR_FILENO, kMessage.data(), kMessage.size()) < 0) ::_exit(static_cast<int>(ExitCode::kInternal));
  ::_exit(static_cast<int>(ExitCode::kData));
}

void watch_for_lost_pages() {
  static const bool once = [] {
    struct sigaction action {};
    action.sa_handler = end_for_lost_page;
    return ::sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  static_cast<void>(once);
}

}  // namespace

TokenType token_type_for(int64_t vocabulary_size) {
  return vocabulary_size <= 65536 ? TokenType::kUint16 : TokenType::kUint32;
}

std::string token_type_name(TokenType type) { return type == TokenType::kUint16 ? "uint16" : "uint32"; }

MappedFile::MappedFile(const fs::path& path) {
  const auto fail = [&] { throw DataError("cannot read '" + path.string() + "': " + std::strerror(errno)); };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail();
  const std::unique_ptr<const int, void (*)(const int*)> closed(&descriptor, [](const int* file) { ::close(*file); });
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail();
  if (S_ISDIR(status.st_mode)) throw DataError("cannot read '" + path.string() + "': it is a folder");
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;  // nothing to map
  void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) fail();
  watch_for_lost_pages();
  memory_ = std::shared_ptr<void>(memory, [size = size_](void* mapped) { ::munmap(mapped, size); });
}

TokenFile::TokenFile(fs::path path, TokenType headerless) : path_(std::move(path)), file_(path_), type_(headerless) {
  uint32_t magic = 0;
  if (file_.size() >= sizeof magic) std::memcpy(&magic, file_.data(), sizeof magic);
  if (magic == kChoiceMagic) refuse(path_, "it holds multiple-choice questions");
  const bool has_header = magic == kGpt2Magic || magic == kLlama3Magic;
  if (!has_header && looks_like_header(file_.data(), file_.size()))
    refuse(path_, fmt::format("it has a header, but magic {} is neither {} (llm.c, GPT-2) nor {} (llm.c, LLaMA-3)",
                              magic, kGpt2Magic, kLlama3Magic));
  if (has_header) {
    read_header(file_.size());
  } else {
    const auto item = static_cast<size_t>(type_);
    if (file_.size() % item != 0)
      refuse(path_, fmt::format("{} bytes are no whole number of {} tokens", file_.size(), token_type_name(type_)));
    size_ = static_cast<int64_t>(file_.size() / item);
    tokens_ = file_.data();
  }
  if (size_ == 0) refuse(path_, "it holds no token");
}

void TokenFile::read_header(size_t bytes) {
  if (bytes < kLlmCHeaderBytes)
    refuse(path_, fmt::format("it ends inside its header: {} bytes of {}", bytes, kLlmCHeaderBytes));
  std::array<int32_t, 3> header{};
  std::memcpy(header.data(), file_.data(), sizeof header);
  const auto [magic, version, tokens] = header;
  type_ = magic == kGpt2Magic ? TokenType::kUint16 : TokenType::kUint32;
  layout_ = TokenLayout::kLlmC;
  const int32_t known = llm_c_version(type_);
  if (version != known) refuse(path_, fmt::format("version {} of magic {} is not {}", version, magic, known));
  const int64_t promised = int64_t{tokens} * static_cast<int64_t>(type_);
  const auto stored = static_cast<int64_t>(bytes - kLlmCHeaderBytes);
  if (tokens < 0 || stored != promised)
    refuse(path_,
           fmt::format("its header promises {} {} tokens, and {} bytes of tokens follow", tokens,
                       token_type_name(type_), stored),
           "copy or write the file again");
  size_ = tokens;
  tokens_ = file_.data() + kLlmCHeaderBytes;
}

void TokenFile::copy(int64_t first, std::span<int64_t> out) const {
  require(first >= 0 && first + static_cast<int64_t>(out.size()) <= size_, "TokenFile::copy: outside the file");
  if (type_ == TokenType::kUint16) {
    std::copy_n(static_cast<const uint16_t*>(tokens_) + first, out.size(), out.begin());
  } else {
    std::copy_n(static_cast<const uint32_t*>(tokens_) + first, out.size(), out.begin());
  }
}

int64_t TokenFile::find(int64_t token, int64_t from) const {
  const auto search = [&](const auto* tokens) {
    using Item = std::remove_cvref_t<decltype(*tokens)>;
    if (token < 0 || token > int64_t{std::numeric_limits<Item>::max()}) return size_;
    return static_cast<int64_t>(std::find(tokens + from, tokens + size_, static_cast<Item>(token)) - tokens);
  };
  return type_ == TokenType::kUint16 ? search(static_cast<const uint16_t*>(tokens_))
                                     : search(static_cast<const uint32_t*>(tokens_));
}

TokenFileWriter::TokenFileWriter(const fs::path& path, TokenType type)
    : file_(std::make_unique<SyncedFile>(path)), type_(type) {
  buffer_.reserve(2 * kWriteBuffer);
}

TokenFileWriter TokenFileWriter::llm_c(const fs::path& path, TokenType type, int64_t tokens) {
  if (tokens > std::numeric_limits<int32_t>::max())
    throw UserError(fmt::format("{} tokens are too many for one llm.c file, whose header holds at most {}", tokens,
                                std::numeric_limits<int32_t>::max()),
                    "split them into shards");
  TokenFileWriter writer(path, type);
  writer.promised_ = tokens;
  const std::array<int32_t, 3> start = {type == TokenType::kUint16 ? kGpt2Magic : kLlama3Magic, llm_c_version(type),
                                        static_cast<int32_t>(tokens)};
  std::string header(kLlmCHeaderBytes, '\0');
  std::memcpy(header.data(), start.data(), sizeof start);
  writer.buffer_ = header;
  return writer;
}

void TokenFileWriter::write(std::span<const int32_t> ids) {
  const int64_t most = type_ == TokenType::kUint16 ? 65535 : std::numeric_limits<int32_t>::max();
  require(std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id <= most; }),
          "TokenFileWriter: id does not fit its type");
  tokens_ += static_cast<int64_t>(ids.size());
  while (!ids.empty()) {
    const auto part = ids.first(std::min(ids.size(), kWriteBuffer / 4));
    const size_t start = buffer_.size();
    buffer_.resize(start + part.size() * static_cast<size_t>(type_));
    if (type_ == TokenType::kUint16) {
      for (size_t i = 0; i < part.size(); ++i) {
        const auto narrow = static_cast<uint16_t>(part[i]);
        std::memcpy(buffer_.data() + start + 2 * i, &narrow, 2);
      }
    } else {
      std::memcpy(buffer_.data() + start, part.data(), 4 * part.size());
    }
    if (buffer_.size() >= kWriteBuffer) flush();
    ids = ids.subspan(part.size());
  }
}

void TokenFileWriter::flush() {
  file_->write(buffer_);
  buffer_.clear();
}

FileDigest TokenFileWriter::finish() {
  require(!promised_ || *promised_ == tokens_, "TokenFileWriter: the header promised another number of tokens");
  flush();
  return file_->finish();
}

}  // namespace sst::text
