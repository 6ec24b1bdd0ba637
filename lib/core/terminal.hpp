#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sst {

/// Terminal cells that UTF-8 text takes: East Asian wide characters and emoji count 2, combining marks 0. A
/// byte that is not UTF-8 counts 1.
///   source  Unicode 15 EastAsianWidth.txt, the ranges a recipe's name can meet; no locale is asked, because
///   a batch
///           job runs in "C"
size_t display_width(std::string_view text);

/// `text`, or its start and "…" where it takes more than `columns` cells.
std::string fit_width(std::string_view text, size_t columns);

/// `text` with spaces behind (or before) it, so that it takes at least `columns` cells.
std::string pad_right(std::string_view text, size_t columns);
std::string pad_left(std::string_view text, size_t columns);

/// Where progress is drawn; tests give their own.
struct Screen {
  std::function<void(std::string_view)> write = {};
  std::function<int()> columns = {};
  bool is_terminal = false;
};

/// stderr: one write per call, width from COLUMNS, else from the terminal, else 80. TERM=dumb is no terminal.
Screen stderr_screen();

/// `mode` is auto, always or never; auto colours a terminal unless NO_COLOR is set to something. Throws
/// UserError.
bool use_color(std::string_view mode, bool is_terminal);

}  // namespace sst
