#include "text/new_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_folder(const fs::path& path, const std::string& reason) {
  throw ResourceError("cannot make the folder '" + path.string() + "': " + reason);
}

/// Whether the open folder is the one that the path names now; its last owner may have renamed it.
bool is_same_folder(int descriptor, const fs::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

/// Without a slash at its end.
fs::path plain(const fs::path& folder) {
  const fs::path path = folder.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

fs::path NewFolder::temporary(const fs::path& folder) { return plain(folder).string() + ".tmp"; }

NewFolder::NewFolder(const fs::path& folder) : folder_(plain(folder)), temporary_(temporary(folder)) { lock(); }

void NewFolder::start() {
  try {
    if (path_exists(folder_) && !fs::is_empty(folder_))
      throw DataError("the folder '" + folder_.string() + "' exists and holds other files",
                      "name a new folder in data.prepared_dir, or empty this one");
    for (const auto& entry : fs::directory_iterator(temporary_)) fs::remove_all(entry.path());  // of a killed process
  } catch (const fs::filesystem_error& error) {
    fail_folder(folder_, error.code().message());
  }
}

void NewFolder::lock() {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    std::error_code error;
    fs::create_directories(temporary_, error);
    if (error) fail_folder(temporary_, error.message());
    descriptor_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) fail_folder(temporary_, std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
      continue;  // some file systems know no locks
    log::info("another process is preparing '{}'; waiting for it", folder_.string());
    if (::flock(descriptor_, LOCK_EX) == 0 || errno != EINTR) continue;
    ::close(descriptor_);
    throw UserError("stopped while another process was preparing '" + folder_.string() + "'", "run this again");
  } while (!is_same_folder(descriptor_, temporary_));
}

NewFolder::~NewFolder() {
  if (descriptor_ < 0) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  ::close(descriptor_);
}

void NewFolder::publish() {
  sync_folder(temporary_);
  fault_point("folder.rename");
  std::error_code error;
  fs::rename(temporary_, folder_, error);
  if (error) fail_folder(folder_, error.message());
  ::close(std::exchange(descriptor_, -1));
  sync_folder(folder_.has_parent_path() ? folder_.parent_path() : ".");
}

}  // namespace sst::text
