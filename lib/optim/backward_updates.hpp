#pragma once

#include <functional>

#include "optim/clip.hpp"

namespace sst::optim {

/// Runs `backward`, updates each tensor as soon as backward has made its whole gradient, and frees that gradient: at no
/// time is there more than one layer's. There is then nothing left to clip or to add up.
///   returns   the norm over all gradients; and the first tensor whose gradient was not finite: that tensor and those
///             that backward reached after it have not moved
///   source    Lv et al. 2023 (LOMO); Zhao et al. 2024 (GaLore), section 4.3
GradientNorm step_within_backward(Optimizer& optimizer, const LearningRates& rates,
                                  const std::function<void()>& backward);

}  // namespace sst::optim
