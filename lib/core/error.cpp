#include "core/error.hpp"

namespace sst {

void require(bool condition, const std::string& message) {
  if (!condition) throw std::logic_error(message);
}

}  // namespace sst
