#include "optim/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "optim/rate_table.hpp"

namespace sst::optim {

namespace {

double ramp(int64_t step, int64_t steps) {
  return steps > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(steps)) : 1.0;
}

/// How much of the decay from `start` to `end` is behind at `step`, in [0, 1].
double progress(int64_t step, int64_t start, int64_t end) {
  if (step <= start) return 0;
  if (step >= end) return 1;
  return static_cast<double>(step - start) / static_cast<double>(end - start);
}

double between(double low, double share) { return low + (1 - low) * share; }

int64_t in_steps(const recipe::Interval& interval, const ScheduleContext& context, const std::string& key) {
  using Unit = recipe::Interval::Unit;
  if (const auto steps = interval.in_steps(context.step)) return *steps;
  switch (interval.unit) {
    case Unit::kToken:
      throw UserError(fmt::format("'schedule.{}' counts tokens, which this task does not", key),
                      "give steps or epochs");
    case Unit::kSecond:
      throw UserError(fmt::format("'schedule.{}' is a time, but a learning rate must not depend on the clock", key),
                      "give steps or epochs");
    default:
      throw UserError(fmt::format("'schedule.{}' is off, but is needed here", key));
  }
}

bool given(const std::optional<recipe::Interval>& interval) { return interval && !interval->is_off(); }

int64_t positive_steps(const recipe::Interval& interval, const ScheduleContext& context, const std::string& key) {
  const int64_t steps = in_steps(interval, context, key);
  if (steps < 1) throw UserError(fmt::format("'schedule.{}' is less than one step", key));
  return steps;
}

int64_t known_total(const ScheduleOptions& options, const ScheduleContext& context) {
  if (context.total_steps > 0) return context.total_steps;
  throw UserError(fmt::format("'schedule.name: {}' must know where training ends", options.name),
                  "give schedule.decay_steps, or train.max_steps or train.max_epochs");
}

void refuse_without_effect(bool given, const std::string& key, const ScheduleOptions& options) {
  if (given)
    throw UserError(fmt::format("'schedule.{}' has no effect with 'schedule.name: {}'", key, options.name),
                    "remove the key or change the name");
}

void check_keys(const ScheduleOptions& options, const ScheduleContext& context) {
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const char* name) { return options.name == name; });
  };
  refuse_without_effect(given(options.decay_steps) && !is({"linear", "cosine", "wsd"}), "decay_steps", options);
  refuse_without_effect(given(options.step_size) && !is({"step"}), "step_size", options);
  refuse_without_effect(options.file.has_value() && !is({"table", "match_effective"}), "file", options);
  refuse_without_effect(options.scope.has_value() && !is({"match_effective"}), "scope", options);
  refuse_without_effect(given(options.cycle) && is({"table", "plateau", "match_effective"}), "cycle", options);
  refuse_without_effect(options.warmup_steps > 0 && is({"table", "match_effective"}), "warmup_steps", options);
  if (is({"step"}) && !given(options.step_size))
    throw UserError("'schedule.name: step' needs 'schedule.step_size'", "for example step_size: 100epoch");
  if (is({"table", "match_effective"}) && !options.file)
    throw UserError(fmt::format("'schedule.name: {}' needs 'schedule.file'", options.name));
  if (context.total_steps > 0 && options.warmup_steps >= context.total_steps)
    throw UserError(fmt::format("'schedule.warmup_steps' is {}, but training ends after {} steps", options.warmup_steps,
                                context.total_steps),
                    "the peak rate would not be held for a single step");
}

/// linear and cosine: from the end of the warm-up to `decay_steps`.
Schedule decay(const ScheduleOptions& options, const ScheduleContext& context) {
  const int64_t start = options.warmup_steps;
  const int64_t end = given(options.decay_steps) ? positive_steps(*options.decay_steps, context, "decay_steps")
                                                 : known_total(options, context);
  if (end <= start)
    throw UserError(fmt::format("'schedule.decay_steps' is {}, before the warm-up of {} steps ends", end, start));
  const double low = options.min_lr_ratio;
  if (options.name == "linear") return [=](int64_t step) { return between(low, 1 - progress(step, start, end)); };
  return
      [=](int64_t step) { return between(low, 0.5 * (1 + std::cos(std::numbers::pi * progress(step, start, end)))); };
}

/// Peak until `decay_steps` before the end of training, then linear.
///   source  Hu et al. 2024 (MiniCPM), section 4.3, with its tenth of training as the default length
Schedule warmup_stable_decay(const ScheduleOptions& options, const ScheduleContext& context) {
  if (context.total_steps <= 0)
    throw UserError("'schedule.name: wsd' must know where training ends", "give train.max_steps or train.max_epochs");
  const int64_t end = context.total_steps;
  const int64_t length = given(options.decay_steps) ? positive_steps(*options.decay_steps, context, "decay_steps")
                                                    : std::max<int64_t>(1, end / 10);
  if (length + options.warmup_steps > end)
    throw UserError(fmt::format("warm-up ({}) and decay ({}) are longer than training ({} steps)", options.warmup_steps,
                                length, end));
  const double low = options.min_lr_ratio;
  return [=](int64_t step) { return between(low, 1 - progress(step, end - length, end)); };
}

/// √(w / (step + 1)) after a warm-up of w steps. With lr = factor · hidden_size^-0.5 · w^-0.5 this is "noam".
///   source  Vaswani et al. 2017, equation 3
Schedule inverse_sqrt(const ScheduleOptions& options) {
  const auto warmup = static_cast<double>(std::max<int64_t>(1, options.warmup_steps));
  const double low = options.min_lr_ratio;
  return [=](int64_t step) { return std::max(low, std::min(1.0, std::sqrt(warmup / static_cast<double>(step + 1)))); };
}

Schedule steps_down(const ScheduleOptions& options, const ScheduleContext& context) {
  const int64_t size = positive_steps(*options.step_size, context, "step_size");
  const double gamma = options.gamma, low = options.min_lr_ratio;
  return [=](int64_t step) { return std::max(low, std::pow(gamma, static_cast<double>(step / size))); };
}

Schedule shape_of(const ScheduleOptions& options, const ScheduleContext& context) {
  if (options.name == "linear" || options.name == "cosine") return decay(options, context);
  if (options.name == "wsd") return warmup_stable_decay(options, context);
  if (options.name == "inverse_sqrt") return inverse_sqrt(options);
  if (options.name == "step") return steps_down(options, context);
  if (options.name == "table")
    return [table = RateTable(options.file->text, context.total_steps), peak = context.peak_lr](int64_t step) {
      return table.rate(step) / peak;
    };
  require(options.name == "constant" || options.name == "plateau" || options.name == "match_effective",
          "schedule '" + options.name + "' is not written");
  return [](int64_t) { return 1.0; };
}

/// ReLoRA's jagged schedule: at each multiple of the cycle the rate climbs again, linearly, to the value the
/// schedule has where the climb ends.
///   source  Lialin et al. 2023 and its code, with the warm-up's (step + 1) / steps in place of step / steps
Schedule with_restarts(Schedule shape, int64_t cycle, int64_t climb) {
  return [=](int64_t step) {
    const int64_t position = step % cycle;
    if (step < cycle || position >= climb) return shape(step);
    return ramp(position, climb) * shape(step - position + climb);
  };
}

}  // namespace

Schedule make_schedule(const ScheduleOptions& options, const ScheduleContext& context) {
  check_keys(options, context);
  Schedule shape = shape_of(options, context);
  if (given(options.cycle)) {
    const int64_t cycle = positive_steps(*options.cycle, context, "cycle");
    if (cycle <= std::max(options.warmup_steps, context.restart_warmup_steps))
      throw UserError(
          fmt::format("'schedule.cycle' is {} steps, not longer than its warm-up", cycle),
          fmt::format("the warm-ups take {} and {} steps", options.warmup_steps, context.restart_warmup_steps));
    shape = with_restarts(std::move(shape), cycle, context.restart_warmup_steps);
  }
  return [shape, warmup = options.warmup_steps](int64_t step) { return ramp(step, warmup) * shape(step); };
}

}  // namespace sst::optim
