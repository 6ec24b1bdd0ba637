#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace sst::recipe {

/// A text that was read: its name as the user knows it, and its bytes.
struct Source {
  std::string name;
  std::string text;
};

/// Where a value was written.
struct Place {
  enum class Kind { kDefault, kFile, kSweep, kCommandLine };

  Kind kind = Kind::kDefault;
  std::shared_ptr<const Source> source;  ///< of kFile, and of a kSweep that stands in a file
  int line = 0;                          ///< 1-based; 0 means the file as a whole
  int column = 0;                        ///< 1-based, in characters
  int length = 1;                        ///< characters to underline
  std::string argument;                  ///< of kCommandLine and kSweep: the override as written

  static Place in(std::shared_ptr<const Source> source, int line = 0, int column = 0, int length = 1);
  static Place command_line(std::string argument);

  /// "file.yaml:3:1", "file.yaml", "command line" or "default".
  std::string text() const;
  /// The same without the column: for listings.
  std::string line_text() const;
};

/// The text of line `line` (1-based) without its end; empty when there is none.
std::string line_of(const Source& source, int line);

/// Number of characters (code points) in UTF-8 text.
int character_count(std::string_view text);

/// Offset of the first byte that is not valid UTF-8 or is a control character other than tab and line end;
/// npos when there is none.
size_t find_bad_byte(std::string_view text);

}  // namespace sst::recipe
