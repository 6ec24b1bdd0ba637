#pragma once

#include "methods/method.hpp"

namespace sst::methods {

/// Full rank has no keys of its own.
struct FullOptions {
  template <class Field>
  void describe(Field&) {}
};

/// The unmodified model: every matrix dense, all parameters trained.
class Full final : public Method {
 public:
  Full(const FullOptions&, MethodContext context) : Method(context) {}
  std::shared_ptr<nn::LinearMap> make_linear(const nn::LinearSpec& spec) override {
    return std::make_shared<nn::DenseLinear>(spec);
  }
};

}  // namespace sst::methods
