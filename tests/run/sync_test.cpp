#include <torch/nn.h>

#include "nn/linear.hpp"
#include "run/gradient_exchange.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/processes.hpp"

namespace sst::run {
namespace {

/// Two maps; the second one's weight is `nudge` off in one place.
struct Pair : torch::nn::Module {
  explicit Pair(float nudge) {
    for (const char* name : {"first", "second"}) {
      const torch::Tensor weight = torch::linspace(-1, 1, 15).view({5, 3});
      if (nudge != 0 && std::string(name) == "second") weight[4][1] += nudge;
      register_module(name, std::make_shared<nn::DenseLinear>(
                                nn::LinearSpec{.in = 3, .out = 5, .name = name, .initial_weight = weight}));
    }
  }
};

std::vector<std::string> differences(const std::vector<float>& nudges) {
  return testing::on_each(static_cast<int64_t>(nudges.size()), [&](const dist::Group& group) {
    return first_difference(group, Pair(nudges[static_cast<size_t>(group.rank())]));
  });
}

}  // namespace

TEST_CASE("every process learns which tensor is not the same everywhere", "[run]") {
  using Names = std::vector<std::string>;
  CHECK(differences({0, 0, 0}) == Names{"", "", ""});
  CHECK(differences({0, 0, 1e-7F}) == Names(3, "second.weight"));
  CHECK(differences({1e-7F, 0}) == Names(2, "second.weight"));
  CHECK(differences({0.5F}) == Names{""});
}

}  // namespace sst::run
