#include "dist/group.hpp"

#include <fmt/core.h>

#include <cstring>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "core/error.hpp"
#include "core/text.hpp"
#include "dist/engine.hpp"
#include "tensor/changed.hpp"

namespace sst::dist {
namespace {

using Processes = c10d::ProcessGroup;

c10::intrusive_ptr<Processes> make_processes(const Launch& launch, const GroupOptions& options,
                                             const c10::intrusive_ptr<c10d::Store>& store) {
  const int rank = static_cast<int>(launch.rank), size = static_cast<int>(launch.size);
  auto group = c10::make_intrusive<Processes>(store, rank, size);
  auto gloo_options = c10d::ProcessGroupGloo::Options::create(options.timeout);
  // Names of machines need not resolve where all processes are on one.
  gloo_options->devices = {launch.local_size == launch.size
                               ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                               : c10d::ProcessGroupGloo::createDefaultDevice()};
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(c10::make_intrusive<c10d::PrefixStore>("gloo", store), rank,
                                                          size, gloo_options);
  group->setBackend(c10::DeviceType::CPU, Processes::BackendType::GLOO, gloo);
  group->setDefaultBackend(Processes::BackendType::GLOO);
  if (options.device.is_cpu()) return group;
  if (options.backend == "gloo") {
    group->setBackend(options.device.type(), Processes::BackendType::GLOO, gloo);
    return group;
  }
#ifdef USE_C10D_NCCL
  auto nccl_options = c10d::ProcessGroupNCCL::Options::create();
  nccl_options->timeout = options.timeout;
  group->setBackend(c10::DeviceType::CUDA, Processes::BackendType::NCCL,
                    c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store),
                                                                rank, size, nccl_options));
  group->setDefaultBackend(Processes::BackendType::NCCL);
  return group;
#else
  throw UserError("this build has no NCCL, which exchanges tensors between GPUs", "give distributed.backend=gloo");
#endif
}

}  // namespace

bool is_of_exchange(const std::exception& error) {
  if (dynamic_cast<const c10::DistError*>(&error) != nullptr) return true;
  const std::string text = error.what();
  return text.find("gloo/") != std::string::npos || text.find("NCCL") != std::string::npos;
}

void fail_exchange(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) throw;
  const auto* theirs = dynamic_cast<const c10::Error*>(&error);
  const std::string text = theirs != nullptr ? theirs->what_without_backtrace() : error.what();
  std::string reason = split(text, '\n').front();
  if (const size_t advice = reason.find(" This is typically caused by"); advice != std::string::npos)
    reason.resize(advice);
  if (reason.find("NCCL") != std::string::npos && reason.find("invalid usage") != std::string::npos)
    throw DistributedError("NCCL refuses to connect these processes: " + reason,
                           "do two of them have one GPU? Start no more than a machine has, or give "
                           "distributed.backend=gloo; NCCL_DEBUG=WARN makes NCCL say more");
  throw DistributedError("another process was lost, or is late: " + reason,
                         "its own message says why (of a run: in log.rank1.txt and so on in its directory); a run that "
                         "is started again goes on from its last checkpoint");
}

Group::Group() = default;

std::shared_ptr<const Group> Group::imagined(int64_t size) {
  auto group = std::make_shared<Group>();
  group->size_ = size;
  return group;
}

Group::Group(const Launch& launch, const GroupOptions& options) : rank_(launch.rank), size_(launch.size) {
  if (launch.is_single()) return;
  engine_ = std::make_unique<Engine>();
  engine_->meeting = Meeting(launch, options.folder, {.timeout = options.timeout});
  exchange([&] { engine_->group = make_processes(launch, options, engine_->meeting.store); });
  barrier();
  engine_->meeting.unpublish();  // now, not at the end: a leader that is killed in training leaves no file
}

Group::~Group() = default;

void Group::sum_(torch::Tensor tensor) const {
  if (!engine_) return;
  exchange([&] {
    std::vector<torch::Tensor> tensors = {tensor};
    engine_->group->allreduce(tensors)->wait();
  });
  tensor::mark_changed(tensor);
}

void Group::sum_(std::span<double> numbers) const {
  if (!engine_) return;
  sum_(torch::from_blob(numbers.data(), {static_cast<int64_t>(numbers.size())}, torch::kFloat64));
}

double Group::largest(double number) const {
  if (!engine_) return number;
  exchange([&] {
    std::vector<torch::Tensor> tensors = {torch::from_blob(&number, {1}, torch::kFloat64)};
    engine_->group->allreduce(tensors, {.reduceOp = c10d::ReduceOp::MAX})->wait();
  });
  return number;
}

void Group::broadcast_(torch::Tensor tensor, int64_t from) const {
  if (!engine_) return;
  exchange([&] {
    const bool fits = tensor.is_contiguous();
    std::vector<torch::Tensor> tensors = {fits ? tensor : tensor.contiguous()};
    engine_->group->broadcast(tensors, {.rootRank = from})->wait();
    const torch::NoGradGuard no_grad;
    if (!fits) tensor.copy_(tensors[0]);
  });
  tensor::mark_changed(tensor);
}

torch::Tensor Group::gather(const torch::Tensor& tensor) const {
  std::vector<int64_t> shape = tensor.sizes().vec();
  shape.insert(shape.begin(), size_);
  torch::Tensor all = torch::zeros(shape, tensor.options());
  all.select(0, rank_).copy_(tensor);
  sum_(all);  // every row has one process that fills it
  return all;
}

std::vector<std::string> Group::gather(const std::string& text) const {
  const auto length = static_cast<int64_t>(text.size());
  const auto longest = static_cast<int64_t>(largest(static_cast<double>(length)));
  torch::Tensor bytes = torch::zeros({longest}, torch::kUInt8);
  if (!text.empty()) std::memcpy(bytes.data_ptr<uint8_t>(), text.data(), text.size());  // no bytes have no address
  const torch::Tensor lengths = gather(torch::tensor({length}, torch::kInt64)), rows = gather(bytes);
  std::vector<std::string> texts;
  for (int64_t rank = 0; rank < size_; ++rank)
    if (const auto size = static_cast<size_t>(lengths[rank].item<int64_t>()); size > 0)
      texts.emplace_back(reinterpret_cast<const char*>(rows.select(0, rank).const_data_ptr<uint8_t>()), size);
    else
      texts.emplace_back();
  return texts;
}

void Group::barrier(std::optional<std::chrono::seconds> patience) const {
  if (!engine_) return;
  c10d::AllreduceOptions options;
  if (patience) options.timeout = *patience;
  exchange([&] {
    std::vector<torch::Tensor> tensors = {torch::zeros({1})};
    engine_->group->allreduce(tensors, options)->wait();
  });
}

int64_t Group::from_leader(int64_t number, std::optional<std::chrono::seconds> patience) const {
  barrier(patience);
  torch::Tensor sent = torch::tensor({number}, torch::kInt64);
  broadcast_(sent);
  return sent.item<int64_t>();
}

void Group::require_same(const std::string& what, const std::string& mine) const {
  const auto all = gather(mine);
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0])
      throw DistributedError(fmt::format("rank 0 has the {} {}, but rank {} has {}", what, all[0], rank, all[rank]),
                             "every process needs the same program, recipe and data");
}

}  // namespace sst::dist
