#include "optim/optimizer.hpp"

#include <fmt/format.h>
#include <torch/utils.h>

#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/seeds.hpp"
#include "tensor/rounding.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

constexpr const char* kWrongCheckpoint = "the checkpoint was written for another model, method or optimizer";

std::string shape_of(const Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")); }

/// The tensor called `key`; `known` collects the names that were asked for.
const Tensor& find(const std::map<std::string, Tensor>& tensors, const std::string& key, std::set<std::string>& known) {
  const auto found = tensors.find(key);
  if (found == tensors.end())
    throw CheckpointError(fmt::format("optimizer state has no tensor '{}'", key), kWrongCheckpoint);
  known.insert(key);
  return found->second;
}

int64_t step_count(const Tensor& tensor, const std::string& key) {
  if (tensor.scalar_type() != torch::kInt64 || tensor.numel() != 1)
    throw CheckpointError(fmt::format("optimizer state '{}' is not one int64 number", key));
  const auto step = tensor.item<int64_t>();
  if (step < 0) throw CheckpointError(fmt::format("optimizer state '{}' is {}, a step count is 0 or more", key, step));
  return step;
}

void check_like(const Tensor& tensor, const Tensor& expected, const std::string& key) {
  if (tensor.sizes() != expected.sizes())
    throw CheckpointError(
        fmt::format("optimizer state '{}' is {}, expected {}", key, shape_of(tensor), shape_of(expected)),
        kWrongCheckpoint);
  if (tensor.scalar_type() != expected.scalar_type())
    throw CheckpointError(fmt::format("optimizer state '{}' is {}, expected {}", key,
                                      c10::toString(tensor.scalar_type()), c10::toString(expected.scalar_type())),
                          "the checkpoint was written with another 'precision'");
}

void refuse_rounding(bool is_asked_for, const std::string& what_it_does) {
  if (is_asked_for)
    throw UserError("'precision.stochastic_rounding' does not go with a method that " + what_it_does,
                    "use another method.name, or precision=bf16_mixed");
}

}  // namespace

Optimizer::Optimizer(std::unique_ptr<UpdateRule> rule, double weight_decay)
    : rule_(std::move(rule)), weight_decay_(weight_decay) {}

void Optimizer::add(Parameter parameter) {
  require(!index_.contains(parameter.name), "the optimizer already has a tensor '" + parameter.name + "'");
  const bool points = parameter.geometry == Geometry::kLorentz;
  require(!(points && parameter.decay), "points take no weight decay, but '" + parameter.name + "' asks for it");
  if (points && !rule_->moves_on_manifolds())
    throw UserError(
        fmt::format("'{}' holds points of the hyperboloid, which this optimizer cannot move", parameter.name),
        "use optim.name: riemannian_adam");
  index_[parameter.name] = parameters_.size();
  parameters_.push_back(std::move(parameter));
  slots_.emplace_back();
}

size_t Optimizer::index_of(const std::string& name) const {
  const auto found = index_.find(name);
  require(found != index_.end(), "the optimizer has no tensor '" + name + "'");
  return found->second;
}

Optimizer::Slot& Optimizer::slot(const std::string& name) { return slots_[index_of(name)]; }

void Optimizer::set_view(const std::string& name, View view) {
  require(view.project && view.lift && !view.shape.empty(),
          "a view of '" + name + "' needs a shape and both directions");
  require(parameters_[index_of(name)].geometry == Geometry::kEuclidean, "points have no view: '" + name + "'");
  refuse_rounding(rounding_seed_.has_value(), "projects gradients");
  slot(name).view = std::move(view);
}

void Optimizer::reset_state(const std::string& name) { slot(name).state = {}; }

void Optimizer::replace(const std::string& name, Tensor fresh, const std::function<Tensor(const Tensor&)>& carry) {
  Parameter& parameter = parameters_[index_of(name)];
  require(!parameter.shard || fresh.numel() == parameter.tensor.numel(), "a sharded tensor keeps its size: " + name);
  parameter.tensor = std::move(fresh);
  if (!carry) return reset_state(name);
  const torch::NoGradGuard no_grad;
  for (auto& [moment, tensor] : slot(name).state.moments)
    tensor =
        parameter.shard
            ? parameter.own(carry(dist::whole_of(*sharers_, tensor, parameter.tensor.sizes())).contiguous()).clone()
            : carry(tensor);
}

void Optimizer::shard(std::shared_ptr<const dist::Group> sharers) {
  sharers_ = std::move(sharers);
  if (sharers_->is_alone()) return;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = parameters_[i];
    const Slot& slot = slots_[i];
    const bool by_element = parameter.geometry == Geometry::kEuclidean && !slot.view.project && !slot.matrix &&
                            !slot.joined && parameter.tensor.is_contiguous();
    if (by_element) parameter.shard = dist::shard_of(parameter.tensor.numel(), sharers_->rank(), sharers_->size());
  }
}

void Optimizer::join(const std::string& prefix, std::shared_ptr<LowRankMatrix> matrix) {
  require(rule_->moves_low_rank(), "this update rule cannot move '" + prefix + "' as one matrix");
  refuse_rounding(rounding_seed_.has_value(), "moves U S V^T as one matrix");
  slot(prefix + "u").joined = slot(prefix + "v").joined = true;
  slot(prefix + "s").matrix = std::move(matrix);
}

void Optimizer::step(const LearningRates& rates) {
  const torch::NoGradGuard no_grad;
  std::vector<Update> later;
  for (size_t i = 0; i < parameters_.size(); ++i) update_(i, rates, later);
  rule_->update_all_(later);
  std::vector<Tensor> sharded;
  for (const Parameter& parameter : parameters_)
    if (parameter.shard && parameter.tensor.grad().defined()) sharded.push_back(parameter.tensor);
  dist::gather_shards_(*sharers_, sharded);
}

void Optimizer::step_one(size_t index, const LearningRates& rates) {
  const torch::NoGradGuard no_grad;
  std::vector<Update> later;
  update_(index, rates, later);
  rule_->update_all_(later);
}

void Optimizer::update_(size_t index, const LearningRates& rates, std::vector<Update>& later) {
  const Parameter& parameter = parameters_[index];
  Slot& slot = slots_[index];
  Tensor gradient = parameter.own_gradient();
  if (!gradient.defined() || slot.joined) return;
  const double rate = parameter.group == Group::kBase ? rates.base : rates.low_rank;
  const double lr = rate_factors_.empty() ? rate : rate * rate_factors_[index];
  double decay = parameter.decay ? weight_decay_ : 0;
  if (parameter.decay_at_base_rate && rule_->decay_is_decoupled() && rate > 0) decay *= rates.base / rate;
  if (slot.matrix) {
    if (slot.state.step == 0) slot.state.moments = rule_->zero_low_rank_moments(*slot.matrix);
    ++slot.state.step;
    return rule_->update_low_rank_(*slot.matrix, slot.state, lr, decay);
  }
  const Tensor tensor = parameter.own(parameter.tensor);
  const bool viewed = static_cast<bool>(slot.view.project);
  const bool coupled = viewed && decay != 0 && !rule_->decay_is_decoupled();
  if (coupled) gradient = gradient.add(parameter.tensor, decay);
  if (viewed) gradient = slot.view.project(gradient);
  if (slot.state.step == 0) slot.state.moments = rule_->zero_moments(gradient, parameter.geometry);
  ++slot.state.step;
  slot.state.raw_eps = slot.view.raw_eps;
  if (tensor.numel() == 0) return;  // a shard of a tensor with fewer elements than there are processes

  if (parameter.geometry == Geometry::kLorentz) {
    rule_->update_on_manifold_(tensor, gradient, slot.state, lr);
  } else if (viewed) {
    const Tensor direction = slot.view.lift(rule_->direction(gradient, slot.state));
    if (decay != 0 && !coupled) tensor.mul_(1 - lr * decay);
    tensor.sub_(direction, lr);
  } else if (rounding_seed_ && tensor.scalar_type() == torch::kBFloat16) {
    update_rounded_(parameter, tensor, gradient, slot.state, lr, decay);
  } else {
    later.push_back({.parameter = tensor, .gradient = gradient, .state = &slot.state, .lr = lr, .decay = decay});
  }
}

void Optimizer::update_rounded_(const Parameter& parameter, const Tensor& own, const Tensor& gradient, State& state,
                                double lr, double decay) const {
  const Tensor wide = own.detach().to(torch::kFloat32);
  State wide_state = state;
  for (auto& [moment, tensor] : wide_state.moments) tensor = tensor.to(torch::kFloat32);
  rule_->update_(wide, gradient.to(torch::kFloat32), wide_state, lr, decay);
  uint64_t index = combine(name_index(parameter.name), static_cast<uint64_t>(state.step));
  if (parameter.shard) index = combine(index, static_cast<uint64_t>(parameter.shard->begin));
  const auto round_into = [&](Tensor to, const Tensor& from, const std::string& what) {
    to.copy_(
        tensor::stochastically_rounded(from, {*rounding_seed_, Stream::kMethod, combine(index, name_index(what))}));
  };
  round_into(own, wide, "rounded weight");
  for (auto& [moment, tensor] : state.moments) round_into(tensor, wide_state.moments.at(moment), "rounded " + moment);
}

void Optimizer::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad() = Tensor();
}

std::map<std::string, Tensor> Optimizer::state_dict() const {
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    tensors["step/" + parameter.name] = torch::tensor(slots_[i].state.step, torch::kInt64);
    for (const auto& [moment, tensor] : slots_[i].state.moments) {
      const std::string key = moment + "/" + parameter.name;
      if (!parameter.shard) {
        tensors[key] = tensor;
      } else if (const Tensor whole = dist::whole_of(*sharers_, tensor, parameter.tensor.sizes());
                 sharers_->is_leader()) {
        tensors[key] = whole.cpu();  // one at a time: on the device all of them might not fit
      }
    }
  }
  return tensors;
}

Moments Optimizer::expected_moments(size_t index, Extent extent) const {
  const Parameter& parameter = parameters_[index];
  const auto on_meta = [](const Tensor& tensor) { return torch::empty_like(tensor.detach(), torch::kMeta); };
  if (slots_[index].joined) return {};
  if (const auto& matrix = slots_[index].matrix; matrix)
    return rule_->zero_low_rank_moments(
        {.u = on_meta(matrix->u), .s = on_meta(matrix->s), .v = on_meta(matrix->v), .in_use = {}, .truncation = {}});
  const View& view = slots_[index].view;
  std::vector<int64_t> shape = view.project ? view.shape : parameter.tensor.sizes().vec();
  if (parameter.shard && extent == Extent::kOwn) shape = {parameter.shard->size()};
  return rule_->zero_moments(torch::empty(shape, parameter.tensor.options().requires_grad(false).device(torch::kMeta)),
                             parameter.geometry);
}

int64_t Optimizer::moment_bytes() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < parameters_.size(); ++i)
    for (const auto& [name, moment] : expected_moments(i, Extent::kOwn)) bytes += static_cast<int64_t>(moment.nbytes());
  return bytes;
}

void Optimizer::load_state_dict(const std::map<std::string, Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  std::set<std::string> known;
  std::vector<State> loaded(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const std::string step_key = "step/" + parameter.name;
    loaded[i].step = step_count(find(tensors, step_key, known), step_key);
    if (loaded[i].step == 0) continue;
    for (const auto& [moment, expected] : expected_moments(i, Extent::kWhole)) {
      const std::string key = moment + "/" + parameter.name;
      const Tensor& tensor = find(tensors, key, known);
      check_like(tensor, expected, key);
      loaded[i].moments[moment] =
          parameter.own(tensor.contiguous()).to(parameter.tensor.device()).clone(at::MemoryFormat::Contiguous);
    }
  }
  for (const auto& [key, tensor] : tensors)
    if (!known.contains(key))
      throw CheckpointError(fmt::format("optimizer state has a tensor '{}' that nothing here trains", key),
                            kWrongCheckpoint);
  for (size_t i = 0; i < parameters_.size(); ++i) slots_[i].state = std::move(loaded[i]);
}

}  // namespace sst::optim
