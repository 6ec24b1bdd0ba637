#pragma once

#include <fmt/core.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

/// What people read while a command runs: stderr, and log.txt of the run directory once one is open. stdout carries
/// results only. spdlog stays behind log.cpp.
namespace sst::log {

enum class Level { kDebug, kInfo, kWarning, kError };

void set_level(Level least);

/// Also writes every line (debug included, never coloured) to `path`, appending.
void open_file(const std::filesystem::path& path);
void close_file();

/// Called before a line goes to a terminal, so that a progress bar can clear its line first; empty to remove.
void set_before_line(std::function<void()> hook);

void write(Level level, const std::string& message);

/// To the file only: the plain progress lines, while a terminal shows the bar.
void write_to_file(const std::string& message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sst::log
