#pragma once

#include <string>
#include <string_view>

/// How the value of a metric is written, by its name. `name` may carry its split: "test/f1" and "f1" are the
/// same.
namespace sst::report {

/// "f1" of "test/f1".
std::string_view metric_leaf(std::string_view name);

/// As people say it: "BLEU" of "bleu", "perplexity per word" of "ppl_word"; a name without such words as it is.
std::string metric_words(std::string_view name);

/// Accuracy, F1, AUC and AP are fractions in files and per cent in tables.
bool is_fraction(std::string_view name);

/// What the value in a file is multiplied by for a table: 100 for fractions, 1 otherwise.
double table_scale(std::string_view name);

/// Unit of the value in a table: "%" for fractions, "nat" for losses, empty where it has none.
std::string table_unit(std::string_view name);

/// Decimals in a table: 2, of losses 4.
int table_decimals(std::string_view name);

/// As the console shows it. Terminal: "4.213", perplexity "60.6", fraction "0.8120", else "21.37"; `exact`
/// (plain lines) gives losses four decimals and perplexity two.
std::string console_value(std::string_view name, double value, bool exact);

/// Whether smaller is better: losses, perplexities and bits per byte.
bool smaller_is_better(std::string_view name);

}  // namespace sst::report
