#include <torch/nn.h>

#include <future>

#include "dist/group.hpp"
#include "nn/linear.hpp"
#include "run/gradient_exchange.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

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
  const testing::TemporaryFolder folder;
  const auto size = static_cast<int64_t>(nudges.size());
  std::vector<std::future<std::string>> found;
  for (int64_t rank = 0; rank < size; ++rank)
    found.push_back(std::async(std::launch::async, [&, rank] {
      const dist::Group group({.by = dist::Launch::By::kMpi,
                               .rank = rank,
                               .size = size,
                               .local_rank = rank,
                               .local_size = size,
                               .job = "sync"},
                              {.timeout = std::chrono::seconds(20), .folder = folder.path()});
      return first_difference(group, Pair(nudges[static_cast<size_t>(rank)]));
    }));
  std::vector<std::string> names;
  for (auto& one : found) names.push_back(one.get());
  return names;
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
