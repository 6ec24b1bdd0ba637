#include "dist/shards.hpp"

#include <torch/nn.h>

#include "dist/gradient_reducer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/processes.hpp"

namespace sst::dist {

using testing::on_each;
using torch::Tensor;

namespace {

/// Of sizes that divide by the number of processes, that do not, and that are smaller.
std::vector<Tensor> odd_tensors(double first) {
  std::vector<Tensor> all;
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{3, 4}, {7}, {1}, {}, {2, 5, 5}}) {
    const Tensor one = torch::zeros(shape, torch::kFloat64);
    all.push_back(torch::arange(first, first + static_cast<double>(one.numel()), torch::kFloat64).view(shape));
  }
  return all;
}

}  // namespace

TEST_CASE("shards cut every element once, in runs that differ by the last ones alone", "[dist]") {
  const int64_t count = GENERATE(0, 1, 2, 7, 12, 50), processes = GENERATE(1, 2, 3, 4, 64);
  int64_t end = 0;
  for (int64_t rank = 0; rank < processes; ++rank) {
    const Shard shard = shard_of(count, rank, processes);
    CHECK(shard.begin == end);
    CHECK(shard.size() <= (count + processes - 1) / processes);
    end = shard.end;
  }
  CHECK(end == count);
}

TEST_CASE("what is packed comes back", "[dist]") {
  const int64_t processes = GENERATE(1, 2, 3, 4);
  const auto tensors = odd_tensors(1);
  auto back = odd_tensors(0);
  const Tensor packed = pack_shards(tensors, processes);
  CHECK(packed.sum().item<double>() == Approx(78 + 28 + 1 + 1 + 1275));  // the rest is zero
  for (int64_t rank = 0; rank < processes; ++rank) unpack_shards_(packed.select(0, rank), back, rank, processes);
  for (size_t i = 0; i < tensors.size(); ++i) CHECK(torch::equal(tensors[i], back[i]));
}

TEST_CASE("shards are summed, gathered and put together", "[dist]") {
  const int64_t size = GENERATE(1, 2, 3, 4);
  CAPTURE(size);
  const auto seen = on_each(size, [&](const Group& group) {
    auto tensors = odd_tensors(static_cast<double>(group.rank()));
    sum_shards_(group, tensors);
    const Tensor shard = shard_of(50, group.rank(), group.size()).of(tensors.back()).clone();
    gather_shards_(group, tensors);
    tensors.push_back(whole_of(group, shard, {2, 5, 5}));
    return tensors;
  });
  auto sums = odd_tensors(0);
  for (int64_t rank = 1; rank < size; ++rank)
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += odd_tensors(static_cast<double>(rank))[i];
  sums.push_back(sums.back());
  for (const auto& one : seen)
    for (size_t i = 0; i < sums.size(); ++i) CHECK(torch::equal(one[i], sums[i]));
}

TEST_CASE("gradients of sharded tensors reach their process while backward runs", "[dist]") {
  const int64_t size = GENERATE(2, 3);
  constexpr int64_t kWidth = 1200;  // several buckets
  const auto weights = [] {
    std::vector<Tensor> all = {torch::linspace(-1, 1, 17 * kWidth, torch::kFloat64).view({17, kWidth}),
                               torch::linspace(1, -1, kWidth * 301, torch::kFloat64).view({kWidth, 301}),
                               torch::zeros({301}, torch::kFloat64), torch::ones({1}, torch::kFloat64)};
    for (Tensor& one : all) one.requires_grad_();
    return all;
  };
  const auto backward = [&](const std::vector<Tensor>& w, int64_t rank) {
    const Tensor input = torch::arange(5 * 17, torch::kFloat64).view({5, 17}).sin() + 0.1 * static_cast<double>(rank);
    ((input.mm(w[0]).tanh().mm(w[1]) + w[2]) * w[3]).square().sum().backward();
  };
  auto alone = weights();
  for (int64_t rank = 0; rank < size; ++rank) backward(alone, rank);
  const auto seen = on_each(size, [&](const Group& group) {
    auto w = weights();
    GradientReducer reducer(group, {w[1]}, {w[0], w[2], w[3]});
    reducer.expect_last_pass();
    backward(w, group.rank());
    std::vector<Tensor> gradients;
    for (const Tensor& one : w) gradients.push_back(one.grad().clone());
    return gradients;
  });
  for (int64_t rank = 0; rank < size; ++rank)
    for (size_t i = 0; i < alone.size(); ++i) {
      CAPTURE(rank, i);
      const Tensor& mine = seen[static_cast<size_t>(rank)][i];
      const Shard shard = i == 1 ? Shard{0, mine.numel()} : shard_of(mine.numel(), rank, size);
      CHECK(torch::allclose(shard.of(mine), shard.of(alone[i].grad()), 1e-12, 1e-10));
    }
}

}  // namespace sst::dist
