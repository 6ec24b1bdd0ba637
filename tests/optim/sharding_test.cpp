#include "core/error.hpp"
#include "optim/adam.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/processes.hpp"

// ZeRO's first stage: each process updates one shard of what all of them train.
namespace sst::optim {

using testing::on_each;
using torch::Tensor;

namespace {

constexpr int64_t kSteps = 4;

/// An optimizer of three sharded tensors and one under a view, which stays whole.
struct Training {
  explicit Training(std::shared_ptr<const dist::Group> sharers = nullptr)
      : optimizer(std::make_unique<Adam>(AdamOptions{}), 0.1) {
    add("matrix", torch::linspace(-1, 1, 35, torch::kFloat64).view({5, 7}), true);
    add("bias", torch::linspace(1, 2, 7, torch::kFloat64), false);
    add("scale", torch::ones({1}, torch::kFloat64), false);
    add("viewed", torch::linspace(0, 1, 6, torch::kFloat64).view({2, 3}), true);
    optimizer.set_view("viewed", {.shape = {1, 3},
                                  .project = [](const Tensor& gradient) { return gradient.sum(0, true); },
                                  .lift =
                                      [](const Tensor& direction) {
                                        return direction.expand({2, 3});
                                      }});
    if (sharers) optimizer.shard(std::move(sharers));
  }

  void add(const std::string& name, const Tensor& tensor, bool decay) {
    optimizer.add({.name = name, .tensor = tensor.requires_grad_(), .decay = decay});
  }
  /// One with the gradient of all processes, which is not contiguous for the matrix.
  double step(int64_t step) {
    for (const auto& parameter : optimizer.parameters()) {
      const Tensor gradient = (torch::arange(parameter.tensor.numel(), torch::kFloat64) + 1.0 + step).sin();
      parameter.tensor.mutable_grad() =
          parameter.name == "matrix" ? gradient.view({7, 5}).t() : gradient.view(parameter.tensor.sizes());
    }
    const double norm = clip_gradients_(optimizer.parameters(), 1, optimizer.sharers()).norm;
    optimizer.step({.base = 0.1});
    return norm;
  }
  std::vector<Tensor> tensors() const {
    std::vector<Tensor> all;
    for (const auto& parameter : optimizer.parameters()) all.push_back(parameter.tensor.detach().clone());
    return all;
  }

  Optimizer optimizer;
};

/// A group that is used, but not owned.
std::shared_ptr<const dist::Group> lent(const dist::Group& group) {
  return {&group, [](const dist::Group*) {}};
}

void check_close(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    CAPTURE(name);
    REQUIRE(tensor.sizes() == b.at(name).sizes());
    CHECK(torch::allclose(tensor, b.at(name), 1e-12, 1e-14));
  }
}

}  // namespace

TEST_CASE("sharded updates are those of one process", "[optim]") {
  const int64_t size = GENERATE(2, 3, 4);
  Training alone;
  std::vector<double> norms;
  for (int64_t step = 0; step < kSteps; ++step) norms.push_back(alone.step(step));
  const auto seen = on_each(size, [](const dist::Group& group) {
    Training training(lent(group));
    std::vector<double> mine;
    for (int64_t step = 0; step < kSteps; ++step) mine.push_back(training.step(step));
    return std::tuple(mine, training.tensors(), training.optimizer.state_dict(), training.optimizer.moment_bytes());
  });
  int64_t bytes = 0;
  for (const auto& [theirs, tensors, states, moment_bytes] : seen) {
    for (size_t i = 0; i < norms.size(); ++i) CHECK(theirs[i] == Approx(norms[i]).epsilon(1e-12));
    const auto expected = alone.tensors();
    for (size_t i = 0; i < expected.size(); ++i) CHECK(torch::allclose(tensors[i], expected[i], 1e-12, 1e-14));
    bytes += moment_bytes;
  }
  check_close(std::get<2>(seen.front()), alone.optimizer.state_dict());
  CHECK(std::get<2>(seen.back()).count("exp_avg/matrix") == 0);
  CHECK(std::get<2>(seen.back()).count("exp_avg/viewed") == 1);
  const int64_t of_view = 2 * 3 * 8;
  CHECK(bytes == alone.optimizer.moment_bytes() + (size - 1) * of_view);
}

TEST_CASE("states go from one number of processes to another", "[optim]") {
  const auto trained = on_each(3, [](const dist::Group& group) {
    Training training(lent(group));
    for (int64_t step = 0; step < kSteps; ++step) training.step(step);
    return std::pair(training.optimizer.state_dict(), training.tensors());
  });
  const auto& [states, tensors] = trained.front();
  Training alone;
  for (int64_t step = 0; step <= kSteps; ++step) alone.step(step);
  const auto go_on = [&, &states = states, &tensors = tensors](std::shared_ptr<const dist::Group> sharers) {
    Training training(std::move(sharers));
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < tensors.size(); ++i) training.optimizer.parameters()[i].tensor.detach().copy_(tensors[i]);
    training.optimizer.load_state_dict(states);
    training.step(kSteps);
    return std::pair(training.optimizer.state_dict(), training.tensors());
  };
  check_close(go_on(nullptr).first, alone.optimizer.state_dict());
  const auto two = on_each(2, [&](const dist::Group& group) { return go_on(lent(group)); });
  check_close(two.front().first, alone.optimizer.state_dict());
  CHECK(torch::allclose(two.back().second[0], alone.tensors()[0], 1e-12, 1e-14));
}

TEST_CASE("moments that a method carries over are whole where it sees them", "[optim]") {
  const auto turn_over = [](const Tensor& moment) { return moment.flip({0, 1}); };
  const auto carried = [&](Training& training) {
    training.step(0);
    training.optimizer.replace("matrix", training.optimizer.parameters()[0].tensor, turn_over);
    training.step(1);
    return training.tensors();
  };
  Training alone;
  const auto expected = carried(alone);
  const auto seen = on_each(2, [&](const dist::Group& group) {
    Training training(lent(group));
    return carried(training);
  });
  for (const auto& one : seen) CHECK(torch::allclose(one[0], expected[0], 1e-12, 1e-14));
}

TEST_CASE("a gradient that is not finite has one name for all", "[optim]") {
  const auto seen = on_each(2, [](const dist::Group& group) {
    Training training(lent(group));
    for (const auto& parameter : training.optimizer.parameters())
      parameter.tensor.mutable_grad() = torch::zeros_like(parameter.tensor);
    // In the second process's shard of the bias alone, and in the first one's of the scale.
    if (group.rank() == 1) training.optimizer.parameters()[1].own_gradient().fill_(INFINITY);
    if (group.rank() == 0) training.optimizer.parameters()[2].own_gradient().fill_(NAN);
    return clip_gradients_(training.optimizer.parameters(), 1, training.optimizer.sharers()).non_finite;
  });
  for (const auto& name : seen) CHECK(name == "bias");
}

}  // namespace sst::optim
