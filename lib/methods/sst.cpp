#include "methods/sst.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "tensor/linalg.hpp"
#include "tensor/memory_meter.hpp"

namespace sst::methods {
namespace {

std::vector<double> as_doubles(const torch::Tensor& tensor) {
  const torch::Tensor copy = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  return {copy.data_ptr<double>(), copy.data_ptr<double>() + copy.numel()};
}

/// Slots in the order of `key`, largest first; equal keys in slot order.
std::vector<int64_t> largest(const std::vector<double>& key, int64_t count) {
  std::vector<int64_t> slots(key.size());
  std::iota(slots.begin(), slots.end(), 0);
  std::stable_sort(slots.begin(), slots.end(),
                   [&](int64_t a, int64_t b) { return key[static_cast<size_t>(a)] > key[static_cast<size_t>(b)]; });
  slots.resize(static_cast<size_t>(count));
  return slots;
}

/// The next `count` singular triplets of a walk through all of them, wrapping round. Iteration 0 of the run starts at
/// triplet 0; the cursor is a pure function of the iteration and needs no state.
std::vector<int64_t> sequential_slots(const SpectralLinear& layer, int64_t iteration) {
  const int64_t k = layer.full_rank(), r = layer.rank();
  const torch::Tensor order = layer.order().cpu();
  std::vector<int64_t> slot_of(static_cast<size_t>(k)), slots;
  for (int64_t slot = 0; slot < k; ++slot) slot_of[static_cast<size_t>(order.data_ptr<int64_t>()[slot])] = slot;
  for (int64_t i = 0; i < r; ++i) slots.push_back(slot_of[static_cast<size_t>((iteration * r + i) % k)]);
  return slots;
}

}  // namespace

std::vector<double> sampling_probabilities(const std::vector<double>& sigma) {
  const double k = static_cast<double>(sigma.size());
  const double total = std::accumulate(sigma.begin(), sigma.end(), 0.0);
  std::vector<double> probabilities;
  for (const double s : sigma) probabilities.push_back(0.5 * (1 / k + (total > 0 ? s / total : 1 / k)));
  return probabilities;
}

std::vector<int64_t> draw_without_replacement(const std::vector<double>& probabilities, int64_t count, CounterRng rng) {
  std::vector<double> keys;
  for (const double p : probabilities) keys.push_back(std::log(p) - std::log(-std::log1p(-rng.uniform())));
  return largest(keys, count);
}

Sst::Sst(const SstOptions& options, MethodContext context)
    : LowRankMethod(options, context),
      options_(options),
      restarts_{.every = interval_steps(options.iteration_interval, context.step, "method.iteration_interval"),
                .warmup_steps = options.restart_warmup_steps,
                .scope_all = options.restart_warmup_scope == "all"},
      iterations_per_round_(options.iterations_per_round.value.value_or(std::max<int64_t>(
          1, std::llround(static_cast<double>(context.hidden_size) / static_cast<double>(options.rank))))) {}

std::shared_ptr<nn::LinearMap> Sst::make_target(const nn::LinearSpec& spec) {
  const bool factored =
      options_.execution == "factored" ||
      (options_.execution == "auto" && cheaper_execution(context().rows_per_step, spec.in, spec.out, options_.rank) ==
                                           SpectralLinear::Execution::kFactored);
  layers_.push_back(std::make_shared<SpectralLinear>(
      with_base(spec, options_.base_init, /*auto_is_kaiming=*/context().euclidean, context().seed),
      SpectralLinear::Options{
          .rank = options_.rank,
          .enhanced_gradient = options_.gradient == "enhanced",
          .train_all_sigma = options_.train_sigma == "all",
          .randomized_svd = options_.svd == "randomized",
          .execution = factored ? SpectralLinear::Execution::kFactored : SpectralLinear::Execution::kMaterialised,
          .seed = context().seed,
          .random_factors = options_.init == "random"}));
  return layers_.back();
}

std::optional<Refusal> Sst::why_not_recorded() const {
  if (options_.execution == "factored") return std::nullopt;
  return Refusal{"method.execution",
                 "needs factors that are multiplied one by one, but 'method.execution' is " + options_.execution,
                 "use method.execution: factored"};
}

void Sst::on_start(optim::Optimizer& optimizer) { begin_iteration(0, optimizer); }

void Sst::before_step(int64_t /*step*/, optim::Optimizer&) {
  for (const auto& layer : layers_) layer->contract_gradient();
}

double Sst::extra_gradient_bytes() const {
  double bytes = 0;  // of W, before it is contracted
  for (const auto& layer : layers_)
    if (layer->execution() == SpectralLinear::Execution::kMaterialised)
      bytes +=
          static_cast<double>(layer->spec().in * layer->spec().out) * static_cast<double>(layer->u().element_size());
  return bytes;
}

void Sst::after_step(int64_t step, optim::Optimizer& optimizer) {
  for (const auto& layer : layers_) layer->constrain();
  if (!restarts_.restarts_after(step)) return;
  const int64_t iteration = (step + 1) / restarts_.every;
  if (iteration % iterations_per_round_ == 0) end_round(iteration / iterations_per_round_);
  begin_iteration(iteration, optimizer);
}

void Sst::begin_iteration(int64_t iteration, optim::Optimizer& optimizer) {
  for (const auto& layer : layers_) {
    const std::vector<double> sigma = as_doubles(layer->sigma());
    if (options_.sampling == "sequential") {
      layer->activate(sequential_slots(*layer, iteration));
    } else if (options_.sampling == "top_r") {
      layer->activate(largest(sigma, layer->rank()));
    } else {
      const auto probabilities = options_.sampling == "uniform"
                                     ? std::vector<double>(sigma.size(), 1.0 / static_cast<double>(sigma.size()))
                                     : sampling_probabilities(sigma);
      const CounterRng rng(context().seed, Stream::kMethod,
                           combine(name_index(layer->spec().name + ".draw"), static_cast<uint64_t>(iteration)));
      layer->activate(draw_without_replacement(probabilities, layer->rank(), rng));
    }
    // All three states, not only those of the vectors that came in (SST paper, appendix E.1).
    for (const auto& name : layer->low_rank_names()) optimizer.reset_state(layer->spec().name + "." + name);
  }
}

void Sst::end_round(int64_t round) {
  const Stopwatch watch;
  double ranks = 0;
  int64_t bytes = 0;  // that a decomposition takes beside the layer
  for (const auto& layer : layers_) {
    using Meter = tensor::TensorMemoryMeter;
    const Meter meter(layer->u().device().type(), Meter::Outer::kCountsToo);
    context().group->once([&] { layer->decompose(round); }, layer->decomposed());
    bytes = std::max(bytes, meter.peak_bytes());
    ranks += tensor::effective_rank(layer->sigma().detach());
  }
  record({.name = "method_round",
          .values = {{"method/round", static_cast<double>(round)},
                     {"method/svd_s", watch.seconds()},
                     {"method/svd_mib", static_cast<double>(bytes) / (1 << 20)},
                     {"method/effective_rank", layers_.empty() ? 0 : ranks / static_cast<double>(layers_.size())}}});
}

}  // namespace sst::methods
