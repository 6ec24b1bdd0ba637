#pragma once

// The precompiled header that all tensor code shares (built once, in sst_tensor). It is a matter of compile time only:
// every file still includes what it uses.
#include <torch/torch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
