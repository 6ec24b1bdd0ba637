#include "recipe/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/text.hpp"

namespace sst::recipe {
namespace {

constexpr size_t kMostErrorsShown = 20;
constexpr size_t kExcerptWidth = 100;  ///< characters of a source line that are shown

std::string_view word_of(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    default:
      return "note";
  }
}

std::string coloured(std::string_view word, bool colour) {
  if (!colour) return std::string(word);
  const int code = word == "error" ? 31 : word == "warning" ? 33 : word == "hint" ? 32 : 36;
  return fmt::format("\x1b[1;{}m{}\x1b[0m", code, word);
}

/// The characters of a line, each as its bytes; what a terminal must not see becomes "?".
std::vector<std::string> printable_characters(const std::string& line) {
  std::vector<std::string> characters;
  for (size_t i = 0; i < line.size();) {
    size_t length = 1;
    while (i + length < line.size() && (static_cast<unsigned char>(line[i + length]) & 0xC0U) == 0x80U) ++length;
    const std::string character = line.substr(i, length);
    characters.push_back(find_bad_byte(character) == std::string::npos ? character : "?");
    i += length;
  }
  return characters;
}

/// One line for a terminal and for JSON, whatever a user typed.
std::string printable(const std::string& text) {
  if (find_bad_byte(text) == std::string::npos && text.find_first_of("\t\r\n") == std::string::npos) return text;
  std::string result;
  for (const std::string& character : printable_characters(text)) {
    const bool blank = character == "\t" || character == "\r" || character == "\n";
    result += blank ? " " : character;
  }
  return result;
}

/// "   31 |   learning_rate: 8e-3\n      |   ^^^^^^^^^^^^^\n"; a long line is shown from a little before the
/// place.
std::string excerpt(const Place& place) {
  const auto characters = printable_characters(line_of(*place.source, place.line));
  const size_t column = std::min(characters.size(), static_cast<size_t>(std::max(place.column - 1, 0)));
  const size_t first = column + 20 > kExcerptWidth ? column - (kExcerptWidth - 20) : 0;
  const size_t last = std::min(characters.size(), first + kExcerptWidth);
  std::string shown, underline;
  for (size_t i = first; i < last; ++i) shown += characters[i];
  for (size_t i = first; i < column; ++i) underline += characters[i] == "\t" ? "\t" : " ";
  const size_t carets = std::min(static_cast<size_t>(std::max(place.length, 1)), std::max<size_t>(last - column, 1));
  return fmt::format("{:>5} | {}\n      | {}{}\n", place.line, shown, underline, std::string(carets, '^'));
}

std::string rendered(const Diagnostic& diagnostic, bool colour) {
  const Place& place = diagnostic.place;
  std::string text;
  if (place.kind != Place::Kind::kDefault) text += place.text() + ": ";
  text += coloured(word_of(diagnostic.severity), colour) + ": ";
  if (!place.argument.empty()) text += fmt::format("override '{}': ", place.argument);
  text += diagnostic.message;
  if (!diagnostic.id.empty()) text += " [" + diagnostic.id + "]";
  text += "\n";
  if (place.source && place.line > 0 && diagnostic.severity != Severity::kNote) text += excerpt(place);
  if (!diagnostic.hint.empty()) text += "   " + coloured("hint", colour) + ": " + diagnostic.hint + "\n";
  return text;
}

/// The section of the first quoted key with a dot in it: "'method.rank' is 0" → "method".
std::string section_in(const std::string& message) {
  for (size_t open = message.find('\''); open != std::string::npos; open = message.find('\'', open + 1)) {
    const size_t end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", open + 1);
    if (end != std::string::npos && end > open + 1 && message[end] == '.')
      return message.substr(open + 1, end - open - 1);
  }
  return {};
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

bool Diagnostics::add(Diagnostic diagnostic) {
  diagnostic.message = printable(diagnostic.message);
  diagnostic.hint = printable(diagnostic.hint);
  diagnostic.place.argument = printable(diagnostic.place.argument);
  const auto same = [&](const Diagnostic& other) {
    return other.severity == diagnostic.severity && other.id == diagnostic.id && other.message == diagnostic.message &&
           other.place.text() == diagnostic.place.text() && other.place.argument == diagnostic.place.argument;
  };
  if (std::any_of(all_.begin(), all_.end(), same)) return false;
  all_.push_back(std::move(diagnostic));
  return true;
}

void Diagnostics::error(const std::string& id, const Place& place, const std::string& message,
                        const std::string& hint) {
  add({Severity::kError, id, place, message, hint});
}

void Diagnostics::warning(const std::string& id, const Place& place, const std::string& message,
                          const std::string& hint) {
  add({Severity::kWarning, id, place, message, hint});
}

void Diagnostics::machine_warning(const std::string& id, const Place& place, const std::string& message,
                                  const std::string& hint) {
  add({Severity::kWarning, id, place, message, hint, true});
}

void Diagnostics::note(const Place& place, const std::string& message) {
  add({Severity::kNote, {}, place, message, {}});
}

void Diagnostics::add(const Diagnostics& others) {
  for (const Diagnostic& diagnostic : others.all_) add(diagnostic);
}

void Diagnostics::sort() {
  // A note stays behind what it belongs to.
  std::vector<std::vector<Diagnostic>> groups;
  for (const Diagnostic& diagnostic : all_) {
    const bool joins = diagnostic.severity == Severity::kNote && !groups.empty();
    if (!joins) groups.emplace_back();
    groups.back().push_back(diagnostic);
  }
  const auto rank = [](const std::vector<Diagnostic>& group) {
    const Place& place = group.front().place;
    return std::tuple(place.source ? 0 : 1, place.source ? place.source->name : "", place.line, place.column);
  };
  std::stable_sort(groups.begin(), groups.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  all_.clear();
  for (const auto& group : groups) all_.insert(all_.end(), group.begin(), group.end());
}

Diagnostics Diagnostics::without(const std::vector<std::string>& ids) const {
  Diagnostics rest = *this;
  std::erase_if(rest.all_,
                [&](const Diagnostic& one) { return std::find(ids.begin(), ids.end(), one.id) != ids.end(); });
  return rest;
}

void Diagnostics::promote_warnings() {
  for (Diagnostic& diagnostic : all_)
    if (diagnostic.severity == Severity::kWarning && !diagnostic.about_machine) diagnostic.severity = Severity::kError;
}

size_t Diagnostics::errors() const {
  return static_cast<size_t>(
      std::count_if(all_.begin(), all_.end(), [](const Diagnostic& d) { return d.severity == Severity::kError; }));
}

size_t Diagnostics::warnings() const {
  return static_cast<size_t>(
      std::count_if(all_.begin(), all_.end(), [](const Diagnostic& d) { return d.severity == Severity::kWarning; }));
}

std::string Diagnostics::render(bool colour) const {
  std::string text, section;
  size_t shown = 0;
  bool showing = true;  // a note goes with what stands before it
  for (const Diagnostic& diagnostic : all_) {
    if (diagnostic.severity == Severity::kError) {
      showing = ++shown <= kMostErrorsShown;
      const std::string named = section_in(diagnostic.message);
      if (!named.empty() && (diagnostic.place.source || section.empty())) section = named;
    } else if (diagnostic.severity == Severity::kWarning) {
      showing = true;
    }
    if (showing) text += rendered(diagnostic, colour);
  }
  if (!has_errors()) return text;
  if (shown > kMostErrorsShown) text += fmt::format("... and {} more\n", counted(shown - kMostErrorsShown, "error"));
  return text + fmt::format("{}, {}. Nothing was started.   (sst-train schema{}  lists the keys)\n",
                            counted(errors(), "error"), counted(warnings(), "warning"),
                            section.empty() ? "" : " " + section);
}

nlohmann::ordered_json Diagnostics::to_json() const {
  nlohmann::ordered_json json = {
      {"errors", errors()}, {"warnings", warnings()}, {"diagnostics", nlohmann::ordered_json::array()}};
  for (const Diagnostic& diagnostic : all_) {
    nlohmann::ordered_json one = {{"severity", word_of(diagnostic.severity)}};
    if (!diagnostic.id.empty()) one["id"] = diagnostic.id;
    if (diagnostic.place.source) one["file"] = diagnostic.place.source->name;
    if (diagnostic.place.source && diagnostic.place.line > 0) {
      one["line"] = diagnostic.place.line;
      one["column"] = diagnostic.place.column;
    }
    if (!diagnostic.place.argument.empty()) one["override"] = diagnostic.place.argument;
    one["message"] = diagnostic.message;
    if (!diagnostic.hint.empty()) one["hint"] = diagnostic.hint;
    json["diagnostics"].push_back(std::move(one));
  }
  return json;
}

ExitCode Diagnostics::exit_code() const {
  if (!has_errors()) return ExitCode::kDone;
  const bool of_data_alone = std::all_of(all_.begin(), all_.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.severity != Severity::kError || diagnostic.id == "E-data";
  });
  return of_data_alone ? ExitCode::kData : ExitCode::kUsage;
}

void Diagnostics::throw_if_errors() const {
  if (has_errors()) throw RecipeError(*this);
}

RecipeError::RecipeError(Diagnostics diagnostics)
    : Error(diagnostics.exit_code(), diagnostics.render()), diagnostics_(std::move(diagnostics)) {}

}  // namespace sst::recipe
