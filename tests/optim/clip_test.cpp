#include "optim/clip.hpp"

#include <torch/types.h>

#include <limits>

#include "tests/support/catch.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

Parameter with_gradient(const std::string& name, const Tensor& gradient, bool decay = false) {
  Parameter parameter{.name = name, .tensor = torch::full_like(gradient, 2), .decay = decay};
  parameter.tensor.mutable_grad() = gradient.clone();
  return parameter;
}

}  // namespace

TEST_CASE("gradients 3 and 4 in two tensors have norm 5 and are scaled to the limit together", "[optim]") {
  const std::vector<Parameter> parameters = {with_gradient("a", torch::tensor({3.0})),
                                             with_gradient("b", torch::tensor({{0.0, 4.0}}, torch::kFloat64)),
                                             {.name = "none", .tensor = torch::ones({2})}};
  const GradientNorm result = clip_gradients_(parameters, 1);
  CHECK(result.norm == 5);
  CHECK(result.non_finite.empty());
  const double factor = 1 / (5 + 1e-6);
  CHECK(parameters[0].tensor.grad().item<double>() == Approx(3 * factor).epsilon(1e-6));
  CHECK(parameters[1].tensor.grad()[0][1].item<double>() == Approx(4 * factor).epsilon(1e-12));
}

TEST_CASE("gradients within the limit, or without one, keep their bits", "[optim]") {
  const std::vector<Parameter> parameters = {with_gradient("a", torch::tensor({3.0, 4.0}))};
  const Tensor before = parameters[0].tensor.grad().clone();
  CHECK(clip_gradients_(parameters, 5.1).norm == 5);
  CHECK(clip_gradients_(parameters, 0).norm == 5);
  CHECK(torch::equal(parameters[0].tensor.grad(), before));
}

TEST_CASE("the norm is exact where float32 sums would overflow or lose small terms", "[optim]") {
  const std::vector<Parameter> large = {with_gradient("a", torch::tensor({3e30F, 4e30F}))};
  CHECK(clip_gradients_(large, 0).norm == Approx(5e30).epsilon(1e-6));
  const std::vector<Parameter> many = {with_gradient("a", torch::full({1 << 20}, 0.1F))};
  CHECK(clip_gradients_(many, 0).norm == Approx(1024 * 0.1F).epsilon(1e-12));
}

TEST_CASE("the norm has the same bits for any number of threads and for scattered memory nearly the same", "[optim]") {
  const int threads = at::get_num_threads();
  const Tensor gradient = torch::linspace(-1, 3, 200003);
  at::set_num_threads(1);
  const double one = clip_gradients_({with_gradient("a", gradient)}, 0).norm;
  at::set_num_threads(3);
  const double three = clip_gradients_({with_gradient("a", gradient)}, 0).norm;
  at::set_num_threads(threads);
  CHECK(one == three);
  Parameter scattered{.name = "a", .tensor = torch::zeros({300, 200}).t()};
  scattered.tensor.mutable_grad() = torch::linspace(-1, 3, 60000).reshape({300, 200}).t();
  REQUIRE_FALSE(scattered.tensor.grad().is_contiguous());
  CHECK(clip_gradients_({scattered}, 0).norm ==
        Approx(clip_gradients_({with_gradient("a", torch::linspace(-1, 3, 60000))}, 0).norm).epsilon(1e-9));
}

TEST_CASE("the first gradient that is not finite is named and nothing is scaled", "[optim]") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Parameter> parameters = {with_gradient("fine", torch::tensor({30.0})),
                                             with_gradient("bad", torch::tensor({1.0F, infinity})),
                                             with_gradient("worse", torch::full({1}, std::nan("")))};
  const GradientNorm result = clip_gradients_(parameters, 1);
  CHECK_FALSE(std::isfinite(result.norm));
  CHECK(result.non_finite == "bad");
  CHECK(parameters[0].tensor.grad().item<double>() == 30);
}

TEST_CASE("the L2 penalty adds 2 * l2 * w to the gradients of decayed tensors", "[optim]") {
  const std::vector<Parameter> parameters = {with_gradient("decayed", torch::tensor({1.0}), true),
                                             with_gradient("spared", torch::tensor({1.0}))};
  add_l2_penalty_(parameters, 0.25);  // w = 2
  CHECK(parameters[0].tensor.grad().item<double>() == 2);
  CHECK(parameters[1].tensor.grad().item<double>() == 1);
}

}  // namespace sst::optim
