#pragma once

#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>

#include <exception>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "dist/group.hpp"
#include "dist/rendezvous.hpp"

namespace sst::dist {

struct Engine {
  Meeting meeting;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

/// Runs an exchange; its errors become DistributedError.
template <class Exchange>
auto exchange(const Exchange& run) {
  try {
    return run();
  } catch (const std::exception& error) {
    fail_exchange(error);
  }
}

}  // namespace sst::dist
