#include "core/file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "core/error.hpp"

namespace sst {
namespace {

[[noreturn]] void fail_to_write(const std::filesystem::path& path, int error) {
  throw ResourceError("cannot write '" + path.string() + "': " + std::strerror(error),
                      error == ENOSPC ? "free some space on this disk, then run the same command again" : "");
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    std::string text;
    for (const unsigned char byte : digest) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) throw DataError("cannot read '" + path.string() + "': it is a folder");
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw DataError("cannot read '" + path.string() + "': " + std::strerror(errno));
  std::string bytes(static_cast<size_t>(stream.tellg()), '\0');
  stream.seekg(0);
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    throw DataError("cannot read '" + path.string() + "': " + std::strerror(errno));
  return bytes;
}

void write_file_synced(const std::filesystem::path& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail_to_write(path, errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(file);
      fail_to_write(path, error);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  const bool flushed = ::fsync(file) == 0;
  const int flush_error = errno;
  if (::close(file) != 0) fail_to_write(path, errno);
  if (!flushed) fail_to_write(path, flush_error);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp-" + std::to_string(::getpid());
  try {
    write_file_synced(temporary, bytes);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail_to_write(path, errno);
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
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

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw DataError("cannot read '" + path.string() + "': " + std::strerror(errno));
  Sha256 digest;
  std::string buffer(1 << 20, '\0');
  while (stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    digest.update(std::string_view(buffer.data(), static_cast<size_t>(stream.gcount())));
  }
  if (stream.bad()) throw DataError("cannot read '" + path.string() + "' to its end");
  return digest.hex();
}

}  // namespace sst
