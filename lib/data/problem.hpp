#pragma once

#include <string>

namespace sst::data {

/// Something wrong with a value of the recipe, for its place to be found by the key.
struct Problem {
  std::string key;      ///< "data.dataset"
  std::string id;       ///< "E-dataset"
  std::string message;  ///< what is wrong, with the value in it
  std::string hint;     ///< what to do
};

}  // namespace sst::data
