#include "text/token_texts.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace sst::text {

void require_id(int32_t id, int64_t size) {
  if (id < 0 || id >= size)
    throw DataError(fmt::format("token id {} is none of the tokenizer's {} ids", id, size),
                    "ids come from another tokenizer, or from the rows that pad the model's vocabulary");
}

std::string_view TokenTexts::at(int32_t id) const {
  require_id(id, size());
  const auto i = static_cast<size_t>(id);
  const size_t start = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(start, ends_[i] - start);
}

}  // namespace sst::text
