#pragma once

#include <string>
#include <string_view>

#include "core/registry.hpp"

namespace sst::metrics {

/// How sacreBLEU cuts a sentence into words.
enum class BleuTokenizer {
  k13a,   ///< mteval-v13a: ASCII punctuation stands alone; &quot; &amp; &lt; &gt; are un-escaped
  kIntl,  ///< mteval-v14 --international-tokenization: Unicode's punctuation and symbols
  kChar,  ///< every character
  kNone,  ///< as it comes, at white space
};

/// "13a", "intl", "char", "none".
const Registry<BleuTokenizer>& bleu_tokenizers();

/// The words of valid UTF-8 with spaces between, exactly as sacreBLEU gives them; white space at the end goes first.
std::string tokenized(BleuTokenizer tokenizer, std::string_view text);

}  // namespace sst::metrics
