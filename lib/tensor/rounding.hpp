#pragma once

#include <torch/types.h>

#include "core/seeds.hpp"

namespace sst::tensor {

/// `wide` (float32) in bfloat16, rounded up with the probability that makes the expectation exact: x between neighbours
/// a < b becomes b with probability (x − a) / (b − a), so that updates far below the spacing are not lost but on average
/// kept. Values that bfloat16 has stay as they are, and so do infinities and NaN. A pure function of its arguments.
///   source    Gupta et al. 2015, "Deep Learning with Limited Numerical Precision"
torch::Tensor stochastically_rounded(const torch::Tensor& wide, const CounterRng& rng);

}  // namespace sst::tensor
