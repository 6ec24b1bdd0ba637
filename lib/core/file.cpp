#include "core/file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fault.hpp"

namespace sst {
namespace {

constexpr std::string_view kHalfWritten = ".tmp-";  ///< and the number of the process, at the end of a name

[[noreturn]] void fail_to_write(const std::filesystem::path& path, int error) {
  throw ResourceError("cannot write '" + path.string() + "': " + std::strerror(error),
                      error == ENOSPC ? "free some space on this disk, then run the same command again" : "");
}

[[noreturn]] void fail_to_read(const std::filesystem::path& path, const std::string& reason) {
  throw DataError("cannot read '" + path.string() + "': " + reason);
}

/// A file to read from its start to its end. A pipe would wait for a writer and has no size; a device may never end.
std::ifstream opened(const std::filesystem::path& path, std::ios::openmode where) {
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::is_directory(status)) fail_to_read(path, "it is a folder");
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail_to_read(path, "it is a pipe or a device, not a file");
  std::ifstream stream(path, std::ios::binary | where);
  if (!stream) fail_to_read(path, std::strerror(errno));
  return stream;
}

/// Whether a process of that number lives here and is not this one.
bool writes_still(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const auto pid = static_cast<pid_t>(std::strtol(name.c_str() + name.rfind('-') + 1, nullptr, 10));
  return pid != ::getpid() && (::kill(pid, 0) == 0 || errno == EPERM);
}

constexpr size_t kBlockBytes = size_t{16} << 20;
constexpr size_t kSector = 4096;  ///< what a disk may ask of the place and the size of bytes that reach it directly

/// Whether anything changed. Some file systems refuse, here or when written to.
bool pass_cache_by(int descriptor, bool wanted) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ((flags & O_DIRECT) != 0) != wanted && ::fcntl(descriptor, F_SETFL, flags ^ O_DIRECT) == 0;
}

EVP_MD_CTX* digest_context(const std::shared_ptr<void>& context) { return static_cast<EVP_MD_CTX*>(context.get()); }

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), [](void* p) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(p)); }) {
  EVP_DigestInit_ex(digest_context(context_), EVP_sha256(), nullptr);
}

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(digest_context(context_), bytes.data(), bytes.size()); }

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(digest_context(context_), digest.data(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void SyncedFile::Freed::operator()(char* block) const { std::free(block); }

SyncedFile::SyncedFile(std::filesystem::path path, Cache cache)
    : path_(std::move(path)),
      cache_(cache),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail_to_write(path_, errno);
}

SyncedFile::~SyncedFile() {
  if (left_.valid()) left_.wait();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void SyncedFile::write(std::string_view bytes) {
  bytes_ += bytes.size();
  fault_point("file.write");
  const WriteFault fault = take_write_fault();
  if (fault == WriteFault::kNoSpace) fail_to_write(path_, ENOSPC);
  if (fault == WriteFault::kReadOnly) fail_to_write(path_, EROFS);
  if (fault == WriteFault::kShort) bytes = bytes.substr(0, bytes.size() / 2);
  while (!bytes.empty()) {
    if (!filling_) filling_.reset(static_cast<char*>(std::aligned_alloc(kSector, kBlockBytes)));
    if (!filling_) throw std::bad_alloc();
    const size_t taken = bytes.copy(filling_.get() + filled_, kBlockBytes - filled_);
    bytes.remove_prefix(taken);
    filled_ += taken;
    if (filled_ == kBlockBytes) hand_over();
  }
}

/// std::async without a policy runs late, in get(), where no thread is to be had.
void SyncedFile::hand_over() {
  if (left_.valid()) left_.get();
  if (!leaving_ && cache_ == Cache::kPassedBy) pass_cache_by(descriptor_, true);
  std::swap(filling_, leaving_);
  const std::string_view block(leaving_.get(), std::exchange(filled_, 0));
  left_ = std::async([this, block] {
    auto hashed = std::async([this, block] { digest_.update(block); });
    put(block);
    hashed.get();
  });
}

void SyncedFile::put(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EINVAL && pass_cache_by(descriptor_, false)) continue;  // not here, or not so few bytes
    if (written < 0) fail_to_write(path_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

FileDigest SyncedFile::finish() {
  if (left_.valid()) left_.get();
  pass_cache_by(descriptor_, false);  // it takes whole sectors only
  const std::string_view rest(filling_.get(), filled_);
  digest_.update(rest);
  put(rest);
  if (::fsync(descriptor_) != 0) fail_to_write(path_, errno);
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0) fail_to_write(path_, errno);
  std::error_code error;
  const uint64_t on_disk = std::filesystem::file_size(path_, error);
  if (error || on_disk != bytes_)
    throw ResourceError("wrote " + std::to_string(bytes_) + " bytes to '" + path_.string() + "', but it has " +
                        std::to_string(on_disk));
  return {bytes_, digest_.hex()};
}

FileReader::FileReader(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) fail_to_read(path_, std::strerror(errno));
}

FileReader::~FileReader() { ::close(descriptor_); }

void FileReader::read(uint64_t position, std::span<char> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read(path_, std::strerror(errno));
    if (got == 0) fail_to_read(path_, "it ends too early");
    position += static_cast<uint64_t>(got);
    into = into.subspan(static_cast<size_t>(got));
  }
}

bool path_exists(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown);
}

bool path_surely_exists(const std::filesystem::path& path) {
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (!std::filesystem::status_known(status))
    throw ResourceError("cannot look at '" + path.string() + "': " + unknown.message());
  return std::filesystem::exists(status);
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::is_directory(path, unknown);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream = opened(path, std::ios::ate);
  std::string bytes(static_cast<size_t>(stream.tellg()), '\0');
  stream.seekg(0);
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) fail_to_read(path, std::strerror(errno));
  return bytes;
}

FileDigest write_file_synced(const std::filesystem::path& path, std::string_view bytes) {
  SyncedFile file(path);
  file.write(bytes);
  return file.finish();
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + std::string(kHalfWritten) + std::to_string(::getpid());
  try {
    write_file_synced(temporary, bytes);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  fault_point("file.rename");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail_to_write(path, errno);
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

bool is_half_written(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const size_t mark = name.rfind(kHalfWritten);
  return mark != std::string::npos && mark > 0 && mark + kHalfWritten.size() < name.size() &&
         name.find_first_not_of("0123456789", mark + kHalfWritten.size()) == std::string::npos;
}

void remove_half_written(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  std::error_code unreadable;
  for (std::filesystem::recursive_directory_iterator
           entry(folder, std::filesystem::directory_options::skip_permission_denied, unreadable),
       end;
       !unreadable && entry != end; entry.increment(unreadable))
    if (std::error_code unknown;
        entry->is_regular_file(unknown) && is_half_written(entry->path()) && !writes_still(entry->path()))
      left.push_back(entry->path());
  std::error_code ignored;
  for (const auto& file : left) std::filesystem::remove(file, ignored);
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // some network file systems refuse; the rename itself has happened
  ::fsync(descriptor);
  ::close(descriptor);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) { return digest_of_file(path).sha256; }

FileDigest digest_of_file(const std::filesystem::path& path) {
  std::ifstream stream = opened(path, {});
  Sha256 digest;
  uint64_t bytes = 0;
  std::string buffer(1 << 20, '\0');
  while (stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    digest.update(std::string_view(buffer.data(), static_cast<size_t>(stream.gcount())));
    bytes += static_cast<uint64_t>(stream.gcount());
  }
  if (stream.bad()) throw DataError("cannot read '" + path.string() + "' to its end");
  return {bytes, digest.hex()};
}

}  // namespace sst
