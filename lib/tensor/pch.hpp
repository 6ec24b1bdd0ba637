#pragma once

// The precompiled header that all tensor code shares (built once, in sst_tensor). It is a matter of compile time only:
// every file still includes what it uses.
//
// It holds tensors, modules and autograd, and not all of <torch/torch.h>: GCC instantiates the templates that a header
// uses again in every file, precompiled or not, which is 9 s of CPU for an empty file under torch.h and 5 s under this
// (3 s under torch/types.h alone).
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
