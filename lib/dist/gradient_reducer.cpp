#include "dist/gradient_reducer.hpp"

#include <torch/utils.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "dist/engine.hpp"
#include "dist/shards.hpp"

namespace sst::dist {
namespace {

constexpr size_t kMostBucketBytes = size_t{25} << 20, kFirstBucketBytes = size_t{1} << 20;  // as torch's own
/// About so many of a small model: what lies in one bucket is not sent before backward ends.
constexpr size_t kBuckets = 16;

using torch::Tensor;

/// The tensors of one bucket, as views of its buffer.
std::vector<Tensor> views_of(c10d::GradBucket& bucket) {
  std::vector<Tensor> views;
  int64_t at = 0;
  for (const Tensor& tensor : bucket.getParameters()) {
    views.push_back(bucket.getBufferRef().narrow(0, at, tensor.numel()));
    at += tensor.numel();
  }
  return views;
}

/// Sums and nothing else; LibTorch's own hook divides by the number of processes.
class SumHook final : public c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
 public:
  /// The first `sharded` buckets go to their shards' processes only.
  SumHook(const c10::intrusive_ptr<c10d::ProcessGroup>& group, size_t sharded)
      : CppCommHookInterface(group), sharded_(sharded) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    if (bucket.getIndex() < sharded_) return sum_shards(bucket);
    std::vector<Tensor> tensors = {bucket.getBufferRef()};
    return state_->allreduce(tensors)->getFuture();
  }

 private:
  /// An exchange of all with all and a sum in the order of the ranks: Gloo has no reduce-scatter of its own, and the bits are
  /// the same on every backend.
  c10::intrusive_ptr<c10::ivalue::Future> sum_shards(c10d::GradBucket& bucket) {
    const int64_t rank = state_->getRank(), processes = state_->getSize();
    const std::vector<Tensor> views = views_of(bucket);
    Tensor mine = pack_shards(views, processes), all = torch::empty_like(mine);
    std::vector<int64_t> equal;
    return state_->getBackend(mine.device().type())
        ->alltoall_base(all, mine, equal, equal)
        ->getFuture()
        ->then(
            [all, mine, views, rank, processes, buffer = bucket.getBufferRef()](c10::ivalue::Future& done) {
              done.value();  // throws what went wrong
              unpack_shards_(all.sum(0), views, rank, processes);
              return c10::IValue(buffer);
            },
            c10::TensorType::get());
  }

  size_t sharded_;
};

/// Indices of `tensors` from `offset` on, in buckets. Gradients come roughly in reverse order, and the first bucket is small
/// so that the exchange begins early.
std::vector<std::vector<size_t>> buckets_of(const std::vector<Tensor>& tensors, size_t offset) {
  const std::vector<Tensor> reversed(tensors.rbegin(), tensors.rend());
  std::vector<int64_t> indices(tensors.size());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(offset + indices.size() - 1 - i);
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.nbytes();
  const size_t bucket = std::clamp(bytes / kBuckets, kFirstBucketBytes, kMostBucketBytes);
  return std::get<0>(c10d::compute_bucket_assignment_by_size(reversed, {kFirstBucketBytes, bucket}, {}, indices));
}

template <class GradientOf>
std::vector<Tensor> defined_gradients(const std::vector<Tensor>& tensors, const GradientOf& gradient_of) {
  std::vector<Tensor> gradients;
  for (const Tensor& tensor : tensors)
    if (const Tensor gradient = gradient_of(tensor); gradient.defined()) gradients.push_back(gradient);
  return gradients;
}

}  // namespace

class GradientReducer::Impl {
 public:
  Impl(const c10::intrusive_ptr<c10d::ProcessGroup>& group, const std::vector<Tensor>& tensors,
       const std::vector<Tensor>& sharded) {
    std::vector<Tensor> all = sharded;
    all.insert(all.end(), tensors.begin(), tensors.end());
    auto buckets = sharded.empty() ? std::vector<std::vector<size_t>>{} : buckets_of(sharded, 0);
    const size_t sharded_buckets = buckets.size();
    if (!tensors.empty())
      for (auto& bucket : buckets_of(tensors, sharded.size())) buckets.push_back(std::move(bucket));
    reducer_ = std::make_shared<c10d::Reducer>(
        all, buckets, group, std::vector<bool>(all.size(), false), static_cast<int64_t>(kMostBucketBytes),
        /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/false, std::unordered_map<size_t, std::string>{},
        static_cast<int64_t>(kFirstBucketBytes),
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>{});
    reducer_->register_comm_hook(std::make_unique<SumHook>(group, sharded_buckets));
  }

  void expect_last_pass() { reducer_->prepare_for_backward({}); }

 private:
  std::shared_ptr<c10d::Reducer> reducer_;
};

GradientReducer::GradientReducer(const Group& group, const std::vector<Tensor>& tensors,
                                 const std::vector<Tensor>& sharded) {
  if (!group.is_alone() && !(tensors.empty() && sharded.empty()))
    exchange([&] { impl_ = std::make_unique<Impl>(group.engine().group, tensors, sharded); });
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::expect_last_pass() {
  if (impl_) impl_->expect_last_pass();
}

void sum_gradients(const Group& group, const std::vector<Tensor>& tensors, const std::vector<Tensor>& sharded) {
  if (group.is_alone()) return;
  const torch::NoGradGuard no_grad;
  auto gradients = defined_gradients(tensors, [](const Tensor& tensor) { return tensor.grad(); });
  if (!gradients.empty()) exchange([&] { group.engine().group->allreduce_coalesced(gradients)->wait(); });
  sum_shards_(group, defined_gradients(sharded, contiguous_gradient));
}

}  // namespace sst::dist
