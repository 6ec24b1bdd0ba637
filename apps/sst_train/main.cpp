// sst-train: trains models from YAML recipes. This file is the only catch-all; exit codes are core/error.hpp's.

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <new>

#include "core/log.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "recipe/diagnostics.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 2 command line or recipe, 3 data, 4 checkpoint, 5 memory or disk, 6 diverged,\n"
    "7 processes that lost or do not find each other, 10 --require not met, 75 stopped early with a good\n"
    "checkpoint (run the same command again), 130 interrupted from the keyboard, 1 a bug.";

bool names_a_recipe(const std::string& word) {
  return ends_with(word, ".yaml") || ends_with(word, ".yml") || starts_with(word, "builtin:");
}

/// `sst-train recipe.yaml …` means `sst-train train recipe.yaml …`.
std::vector<std::string> expand_short_form(std::vector<std::string> arguments) {
  if (arguments.empty()) return arguments;
  const std::string& first = arguments.front();
  const bool is_verb =
      std::any_of(verbs().begin(), verbs().end(), [&](const Verb& verb) { return first == verb.name; });
  if (!is_verb && names_a_recipe(first)) arguments.insert(arguments.begin(), "train");
  return arguments;
}

/// A first word that is neither verb nor recipe gets its nearest verb.
void check_verb(const std::vector<std::string>& arguments) {
  if (arguments.empty() || starts_with(arguments.front(), "-")) return;
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  if (std::find(names.begin(), names.end(), arguments.front()) != names.end()) return;
  const auto nearest = did_you_mean(arguments.front(), names);
  throw UserError(
      "'" + arguments.front() + "' is no verb and no recipe (those end in .yaml or .yml, or begin with builtin:)",
      nearest ? "did you mean '" + *nearest + "'?" : "verbs: " + join(names, ", "));
}

void add_common_flags(CLI::App& command, CommonFlags& flags) {
  command.add_flag("-q,--quiet", flags.quiet, "warnings and errors only");
  command.add_flag("-v,--verbose", flags.verbose, "more detail");
  command.add_flag("--json", flags.json, "one JSON document on stdout instead of text");
  command.add_option("--log-format", flags.log_format, "auto, bar, plain, json or none")->type_name("FORMAT");
  command.add_option("--color", flags.color, "auto, always or never")->type_name("WHEN");
}

ExitCode run(const std::vector<std::string>& typed) {
  CLI::App app("Trains models from YAML recipes: sparse spectral training and its peers.", "sst-train");
  app.set_version_flag("-V,--version", version_text());
  app.require_subcommand(0, 1);
  app.footer(kFooter);
  CommonFlags flags;
  flags.arguments = typed;
  ExitCode code = ExitCode::kDone;
  for (const Verb& verb : verbs()) {
    CLI::App* command = app.add_subcommand(verb.name);
    const Action action = verb.add(*command);
    add_common_flags(*command, flags);
    command->final_callback([&flags, &code, action] {
      log::set_level(flags.quiet ? log::Level::kWarning : flags.verbose ? log::Level::kDebug : log::Level::kInfo);
      code = action(flags);
    });
  }
  std::vector<std::string> arguments = expand_short_form(typed);
  check_verb(arguments);
  if (arguments.empty()) {
    std::cout << app.help();
    return ExitCode::kUsage;
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  try {
    app.parse(arguments);
  } catch (const CLI::Success& success) {
    app.exit(success);  // help and version
    return ExitCode::kDone;
  } catch (const CLI::ParseError& error) {
    throw UserError(error.what(), "`sst-train " + (typed.empty() ? std::string() : typed.front() + " ") +
                                      "--help` shows what there is");
  }
  return code;
}

void print_error(const std::string& message, const std::string& hint) {
  log::error("{}", message);
  if (!hint.empty()) fmt::print(stderr, "   hint: {}\n", hint);
}

}  // namespace
}  // namespace sst::app

int main(int argc, char** argv) {
  using sst::ExitCode;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  // LibTorch's own warnings speak to programmers ("memory block of unknown size"); asked for by hand they still come.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = c10::GLOG_ERROR;
  ExitCode code = ExitCode::kDone;
  try {
    code = sst::app::run(arguments);
  } catch (const sst::recipe::RecipeError& error) {
    fmt::print(stderr, "{}", error.diagnostics().render(sst::app::coloured({})));
    code = error.code();
  } catch (const sst::Error& error) {
    sst::app::print_error(error.what(), error.hint());
    code = error.code();
  } catch (const std::bad_alloc&) {
    sst::app::print_error("out of memory",
                          "use a smaller model or batch, or `sst-train estimate` to see what is needed");
    code = ExitCode::kResources;
  } catch (const c10::OutOfMemoryError& error) {
    sst::app::print_error(error.what_without_backtrace(),
                          "use a smaller model or batch; `sst-train estimate` shows what is needed");
    code = ExitCode::kResources;
  } catch (const c10::Error& error) {
    sst::app::print_error(error.what_without_backtrace(),
                          "this is a bug: please report it with the output of `sst-train doctor`");
    code = ExitCode::kInternal;
  } catch (const std::filesystem::filesystem_error& error) {
    sst::app::print_error(fmt::format("'{}': {}", error.path1().string(), error.code().message()),
                          "look at the path, its permissions and its disk");
    code = ExitCode::kResources;
  } catch (const std::exception& error) {
    sst::app::print_error(error.what(), "this is a bug: please report it with the output of `sst-train doctor`");
    code = ExitCode::kInternal;
  }
  return static_cast<int>(code);
}
