#include "core/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace sst::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> screen = make_screen();
  std::shared_ptr<spdlog::logger> file;
  std::function<void()> before_line;

  static std::shared_ptr<spdlog::logger> make_screen() {
    auto logger = std::make_shared<spdlog::logger>("screen", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::trace);
    return logger;
  }
};

State& state() {
  static State state;
  return state;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string labelled(Level level, const std::string& message) {
  if (level == Level::kWarning) return "warning: " + message;
  if (level == Level::kError) return "error: " + message;
  return message;
}

}  // namespace

void set_level(Level least) { state().screen->set_level(to_spdlog(least)); }

void open_file(const std::filesystem::path& path) {
  auto logger =
      std::make_shared<spdlog::logger>("file", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string()));
  logger->set_pattern("%Y-%m-%dT%H:%M:%SZ %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  state().file = std::move(logger);
}

void close_file() { state().file.reset(); }

void set_before_line(std::function<void()> hook) { state().before_line = std::move(hook); }

void write(Level level, const std::string& message) {
  auto& [screen, file, before_line] = state();
  if (before_line && screen->should_log(to_spdlog(level))) before_line();
  screen->log(to_spdlog(level), labelled(level, message));
  if (file) file->log(to_spdlog(level), labelled(level, message));
}

void write_to_file(const std::string& message) {
  if (state().file) state().file->info(message);
}

}  // namespace sst::log
