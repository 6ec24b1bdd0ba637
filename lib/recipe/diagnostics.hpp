#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "recipe/place.hpp"

namespace sst::recipe {

enum class Severity { kError, kWarning, kNote };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string id;  ///< "E-range"; empty for notes
  Place place;
  std::string message;
  std::string hint = {};       ///< what to do; may be empty
  bool about_machine = false;  ///< a warning about this machine, which --strict does not make an error
};

/// Collects every problem of a recipe, so that one pass shows them all. A problem that was added before is
/// not added again, so that the points of a sweep do not repeat what they share.
class Diagnostics {
 public:
  void error(const std::string& id, const Place& place, const std::string& message, const std::string& hint = {});
  void warning(const std::string& id, const Place& place, const std::string& message, const std::string& hint = {});
  void machine_warning(const std::string& id, const Place& place, const std::string& message,
                       const std::string& hint = {});
  /// Belongs to what was added before it.
  void note(const Place& place, const std::string& message);
  void add(const Diagnostics& others);

  /// In the order of the files, by line; what was said on the command line comes last.
  void sort();
  /// All but the errors with these identifiers.
  Diagnostics without(const std::vector<std::string>& ids) const;

  /// `--strict`: warnings become errors, but for those about this machine.
  void promote_warnings();

  bool has_errors() const { return errors() > 0; }
  size_t errors() const;
  size_t warnings() const;
  bool empty() const { return all_.empty(); }
  const std::vector<Diagnostic>& all() const { return all_; }

  /// One paragraph for each problem, at most 20 errors, and where there are errors the line that counts them.
  /// Colour marks only the words error, warning, note and hint. Ends in a line feed unless empty.
  std::string render(bool colour = false) const;
  /// {"errors": 2, "warnings": 0, "diagnostics": [{"severity", "id", "file", "line", "column", "message",
  /// "hint"}]}
  nlohmann::ordered_json to_json() const;

  /// kData where all errors are of data ("E-data"), kUsage where others are among them, kDone without any.
  ExitCode exit_code() const;

  /// Throws RecipeError with the rendered text when there is an error.
  void throw_if_errors() const;

 private:
  bool add(Diagnostic diagnostic);

  std::vector<Diagnostic> all_;
};

/// The recipe or its overrides are wrong; what() is everything there is to say, ready to print.
class RecipeError : public Error {
 public:
  explicit RecipeError(Diagnostics diagnostics);
  const Diagnostics& diagnostics() const { return diagnostics_; }

 private:
  Diagnostics diagnostics_;
};

}  // namespace sst::recipe
