#include "methods/relora.hpp"

#include <algorithm>

#include "tensor/random.hpp"

namespace sst::methods {

Relora::Relora(const ReloraOptions& options, MethodContext context)
    : LowRankMethod(options, context),
      options_(options),
      restarts_{.every = interval_steps(options.merge_every, context.step, "method.merge_every"),
                .warmup_steps = options.restart_warmup_steps,
                .scope_all = options.restart_warmup_scope == "all"} {}

std::shared_ptr<nn::LinearMap> Relora::make_target(const nn::LinearSpec& spec) {
  layers_.push_back(make_adapter(spec, options_, context().seed));
  return layers_.back();
}

void Relora::after_step(int64_t step, optim::Optimizer& optimizer) {
  if (!restarts_.restarts_after(step)) return;
  const int64_t merge = (step + 1) / restarts_.every;
  for (const auto& layer : layers_) {
    // Draw 1 was the initial A, so that every merge has its own.
    layer->merge_and_restart(kaiming_uniform(layer->spec(), layer->a().size(0), layer->a(), context().seed,
                                             /*draw=*/1 + static_cast<uint64_t>(merge)));
    reset_moments(optimizer, layer->spec().name + ".lora_a", layer->a(), merge);
    reset_moments(optimizer, layer->spec().name + ".lora_b", layer->b(), merge);
  }
  record({.name = "method_merge", .values = {{"method/merges", static_cast<double>(merge)}}});
}

void Relora::reset_moments(optim::Optimizer& optimizer, const std::string& name, const torch::Tensor& tensor,
                           int64_t merge) const {
  if (options_.reset == "zero") return optimizer.reset_state(name);
  uint64_t draw = 0;  // the moments of one tensor draw different masks
  optimizer.replace(name, tensor, [&](const torch::Tensor& moment) -> torch::Tensor {
    if (options_.reset == "prune_magnitude") {
      const torch::Tensor magnitude = moment.abs();
      // What is above the quantile survives, as in the published code (which interpolates; no entry lies in between).
      const auto below = static_cast<int64_t>(options_.prune_ratio * static_cast<double>(moment.numel() - 1));
      return moment * (magnitude > std::get<0>(magnitude.flatten().kthvalue(below + 1)));
    }
    const CounterRng rng(context().seed, Stream::kMethod,
                         combine(combine(name_index(name), static_cast<uint64_t>(merge)), ++draw));
    return moment * (tensor::uniform(moment.sizes(), 0, 1, rng, moment.options()) >= options_.prune_ratio);
  });
}

}  // namespace sst::methods
