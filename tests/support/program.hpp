#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sst::testing {

/// What a run of the program left: exit code (128 + n when killed by signal n), stdout and stderr.
struct Outcome {
  int code = 0;
  std::string out, err;
};

/// The program under test, in a folder of its own, with an environment of its own: results do not depend on what the
/// caller's shell has set.
class Program {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  explicit Program(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Outcome run(const std::vector<std::string>& arguments, const Environment& more = {}) const {
    return wait(start(arguments, more));
  }

  pid_t start(const std::vector<std::string>& arguments, const Environment& more = {}) const {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    if (::chdir(folder_.c_str()) != 0) ::_exit(126);
    for (const auto& [file, descriptor] :
         {std::pair{"stdout.txt", STDOUT_FILENO}, std::pair{"stderr.txt", STDERR_FILENO}})
      ::dup2(::open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644), descriptor);
    ::dup2(::open(input.c_str(), O_RDONLY), STDIN_FILENO);
    for (const char* name : {"SST_DATA_ROOT", "SST_OUT_ROOT", "SST_LOG_FORMAT", "SST_FAULT", "COLUMNS"})
      ::unsetenv(name);
    ::setenv("OMP_NUM_THREADS", "1", 1);
    for (const auto& [name, value] : more) ::setenv(name.c_str(), value.c_str(), 1);
    if (user != 0 && (::setgid(user) != 0 || ::setuid(user) != 0)) ::_exit(126);
    if (const rlimit limit{memory, memory}; memory > 0) ::setrlimit(RLIMIT_AS, &limit);
    std::vector<char*> words = {const_cast<char*>(SST_TRAIN_BINARY)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    ::execv(SST_TRAIN_BINARY, words.data());
    ::_exit(127);
  }

  Outcome wait(pid_t pid) const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .out = text_of(folder_ / "stdout.txt"),
            .err = text_of(folder_ / "stderr.txt")};
  }

  static std::string text_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }

  const std::filesystem::path& folder() const { return folder_; }

  std::filesystem::path input = "/dev/null";  ///< what standard input reads
  uid_t user = 0;                             ///< whom it runs as, where the caller is root; 0: the caller
  rlim_t memory = 0;                          ///< addresses that it may have, in bytes; 0: as many as it wants

 private:
  std::filesystem::path folder_;
};

/// Until another process has made it, and not for ever.
inline void wait_for(const std::filesystem::path& file) {
  for (int i = 0; i < 300 && !std::filesystem::exists(file); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

inline std::string source(const std::string& relative) { return std::string(SST_SOURCE_DIR) + "/" + relative; }

}  // namespace sst::testing
