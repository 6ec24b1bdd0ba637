#include "text/word_vocabulary.hpp"

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "text/unicode_properties.hpp"
#include "text/whitespace.hpp"

namespace sst::text {

TEST_CASE("words stand between white space of any kind", "[text]") {
  CHECK(count_words("") == 0);
  CHECK(count_words(" \n\t\u00a0\u3000") == 0);
  CHECK(count_words("one") == 1);
  CHECK(count_words(" = Homarus gammarus = \n \n a\u2003b\u200bc\r\n") == 6);  // U+200B is no white space
}

TEST_CASE("a vocabulary of words has the most frequent ones, equal ones by their bytes", "[text]") {
  const testing::TemporaryFolder folder;
  WordCounts counts;
  counts.add("b a c b <unk> d\nb c");
  counts.add("a");
  write_vocabulary(folder / "all.txt", vocabulary_words(counts, document_specials()));
  CHECK(read_file(folder / "all.txt") == "</s>\n<unk>\nb\na\nc\nd\n");
  write_vocabulary(folder / "four.txt", vocabulary_words(counts, document_specials(), {.max_size = 2}));
  const Whitespace tokenizer(folder / "four.txt");
  std::vector<int32_t> ids;
  tokenizer.encode("a b c <unk>", ids);
  CHECK(ids == std::vector<int32_t>{3, 2, 1, 1});
  CHECK(tokenizer.separator() == 0);
}

}  // namespace sst::text
