#include "dist/gradient_reducer.hpp"

#include <torch/utils.h>

#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "dist/engine.hpp"

namespace sst::dist {
namespace {

constexpr size_t kBucketBytes = size_t{25} << 20, kFirstBucketBytes = size_t{1} << 20;  // as torch's own

/// Sums and nothing else; LibTorch's own hook divides by the number of processes.
class SumHook final : public c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
 public:
  using CppCommHookInterface::CppCommHookInterface;
  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    std::vector<torch::Tensor> tensors = {bucket.getBufferRef()};
    return state_->allreduce(tensors)->getFuture();
  }
};

}  // namespace

class GradientReducer::Impl {
 public:
  Impl(const c10::intrusive_ptr<c10d::ProcessGroup>& group, const std::vector<torch::Tensor>& tensors)
      : reducer_(std::make_shared<c10d::Reducer>(
            tensors, buckets_of(tensors), group, std::vector<bool>(tensors.size(), false),
            static_cast<int64_t>(kBucketBytes), /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/false,
            std::unordered_map<size_t, std::string>{}, static_cast<int64_t>(kFirstBucketBytes),
            /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>{})) {
    reducer_->register_comm_hook(std::make_unique<SumHook>(group));
  }

  void expect_last_pass() { reducer_->prepare_for_backward({}); }

 private:
  /// Gradients come roughly in reverse order, and the first bucket is small so that the exchange begins early.
  static std::vector<std::vector<size_t>> buckets_of(const std::vector<torch::Tensor>& tensors) {
    std::vector<torch::Tensor> reversed(tensors.rbegin(), tensors.rend());
    std::vector<int64_t> indices(tensors.size());
    for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(indices.size() - 1 - i);
    return std::get<0>(
        c10d::compute_bucket_assignment_by_size(reversed, {kFirstBucketBytes, kBucketBytes}, {}, indices));
  }

  std::shared_ptr<c10d::Reducer> reducer_;
};

GradientReducer::GradientReducer(const Group& group, const std::vector<torch::Tensor>& tensors) {
  if (!group.is_alone() && !tensors.empty())
    exchange([&] { impl_ = std::make_unique<Impl>(group.engine().group, tensors); });
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::expect_last_pass() {
  if (impl_) impl_->expect_last_pass();
}

void sum_gradients(const Group& group, const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& tensor : tensors)
    if (tensor.grad().defined()) gradients.push_back(tensor.grad());
  if (group.is_alone() || gradients.empty()) return;
  const torch::NoGradGuard no_grad;
  exchange([&] { group.engine().group->allreduce_coalesced(gradients)->wait(); });
}

}  // namespace sst::dist
