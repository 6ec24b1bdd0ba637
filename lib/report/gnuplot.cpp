#include "report/gnuplot.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/clock.hpp"
#include "core/log.hpp"

extern char** environ;

namespace sst::report {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// A nameless temporary file that holds the commands: unlike a pipe it cannot fill up while gnuplot draws.
File command_file(const std::string& commands) {
  File file(std::tmpfile(), std::fclose);
  if (file && std::fwrite(commands.data(), 1, commands.size(), file.get()) == commands.size() &&
      std::fflush(file.get()) == 0)
    std::rewind(file.get());
  else
    file.reset();
  return file;
}

/// Starts gnuplot reading `input` and writing `output`; 0 where that is not possible.
pid_t start(int input, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::array<char*, 4> arguments = {const_cast<char*>("gnuplot"), const_cast<char*>("-d"), const_cast<char*>("-"),
                                    nullptr};
  pid_t process = 0;
  const int failure = posix_spawnp(&process, "gnuplot", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == 0) return process;
  log::debug("no charts: cannot start gnuplot: {}", std::strerror(failure));
  return 0;
}

/// Everything written to `pipe` until its end; nothing when the time is over first.
std::optional<std::string> read_all(int pipe, double timeout_s) {
  const Stopwatch watch;
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const double left_s = timeout_s - watch.seconds();
    pollfd waiting = {pipe, POLLIN, 0};
    const int ready = left_s <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left_s * 1000) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return {};
    const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
}

}  // namespace

std::optional<std::string> run_gnuplot(const std::string& commands, double timeout_s) {
  const File input = command_file(commands);
  std::array<int, 2> ends{};
  if (!input || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    log::debug("no charts: {}", std::strerror(errno));
    return {};
  }
  const pid_t process = start(::fileno(input.get()), ends[1]);
  ::close(ends[1]);
  std::optional<std::string> text;
  if (process > 0) {
    text = read_all(ends[0], timeout_s);
    if (!text) ::kill(process, SIGKILL);
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (!text) log::debug("no charts: gnuplot took longer than {:.0f} s", timeout_s);
    if (text && status != 0) {
      log::debug("no charts: gnuplot ended with status {}", status);
      text.reset();
    }
  }
  ::close(ends[0]);
  return text;
}

}  // namespace sst::report
