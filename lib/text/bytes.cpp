#include "text/bytes.hpp"

#include "core/file.hpp"
#include "text/token_texts.hpp"
#include "text/utf8.hpp"

namespace sst::text {

void Bytes::encode(std::string_view text, std::vector<int32_t>& ids) const {
  require_utf8(text);
  for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
}

std::string Bytes::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    require_id(id, size());
    if (id != kSeparator) text += static_cast<char>(static_cast<unsigned char>(id));
  }
  return text;
}

std::string Bytes::sha256() const { return sha256_hex("bytes"); }

}  // namespace sst::text
