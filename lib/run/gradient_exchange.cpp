#include "run/gradient_exchange.hpp"

#include <algorithm>

#include "nn/linear.hpp"

namespace sst::run {

using torch::Tensor;

bool GradientExchange::needs_rehearsal(const optim::Optimizer& optimizer) const {
  if (group_->is_alone()) return false;
  const auto& now = optimizer.parameters();  // a method may have put other tensors in their places
  return !reducer_ ||
         !std::equal(now.begin(), now.end(), all_.begin(), all_.end(),
                     [](const auto& parameter, const Tensor& tensor) { return parameter.tensor.is_same(tensor); });
}

void GradientExchange::learn(const optim::Optimizer& optimizer) {
  reducer_.reset();
  all_.clear();
  std::vector<Tensor> in_backward, sharded;
  for (const auto& parameter : optimizer.parameters()) {
    all_.push_back(parameter.tensor);
    if (late_.count(parameter.name) == 0 && parameter.tensor.grad().defined())
      (parameter.shard ? sharded : in_backward).push_back(parameter.tensor);
  }
  reducer_ = std::make_unique<dist::GradientReducer>(*group_, in_backward, sharded);
}

void GradientExchange::last_pass(const std::function<void()>& backward) {
  if (!reducer_) return backward();
  reducer_->expect_last_pass();
  try {
    backward();
  } catch (const std::exception& error) {
    if (dist::is_of_exchange(error)) dist::fail_exchange(error);
    throw;
  }
}

void GradientExchange::sum_late(const optim::Optimizer& optimizer) const {
  if (group_->is_alone() || late_.empty()) return;
  std::vector<Tensor> tensors, sharded;
  for (const auto& parameter : optimizer.parameters())
    if (late_.count(parameter.name) > 0) (parameter.shard ? sharded : tensors).push_back(parameter.tensor);
  dist::sum_gradients(*group_, tensors, sharded);
}

namespace {

/// The sum of a tensor's 32-bit words and the sum of each times its place: two numbers that no single change leaves alone.
Tensor hash_of(const Tensor& tensor) {
  const Tensor bytes = tensor.detach().contiguous().reshape({-1}).view(torch::kUInt8);
  const int64_t whole = bytes.numel() / 4 * 4;
  const Tensor words = bytes.narrow(0, 0, whole).view(torch::kInt32).to(torch::kInt64);
  const Tensor rest = bytes.narrow(0, whole, bytes.numel() - whole).to(torch::kInt64);
  const Tensor places = torch::arange(1, words.numel() + 1, words.options()).remainder_(65521);
  return torch::stack({words.sum() + rest.sum(), (words * places).sum()}).cpu();
}

}  // namespace

std::string first_difference(const dist::Group& group, const torch::nn::Module& model) {
  if (group.is_alone()) return "";
  std::vector<std::string> names;
  std::vector<Tensor> hashes;
  for (const auto& [name, tensor] : nn::stored_tensors(model)) {
    names.push_back(name);
    hashes.push_back(hash_of(tensor));
  }
  const Tensor all = group.gather(torch::stack(hashes));  // [processes, tensors, 2]
  const Tensor same = (all == all.select(0, 0)).all(2).all(0);
  for (size_t i = 0; i < names.size(); ++i)
    if (!same[static_cast<int64_t>(i)].item<bool>()) return names[i];
  return "";
}

}  // namespace sst::run
