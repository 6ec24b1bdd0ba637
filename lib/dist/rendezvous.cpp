#include "dist/rendezvous.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace sst::dist {
namespace {

using StorePtr = c10::intrusive_ptr<c10d::Store>;

constexpr double kNoticeSeconds = 10;  // between two lines of who waits for whom
constexpr auto kPoll = std::chrono::milliseconds(100);

struct Address {
  std::string host;
  int port = 0;
};

std::string to_string(const Address& address) { return fmt::format("{}:{}", address.host, address.port); }

c10d::TCPStoreOptions store_options(int port, bool serves, std::chrono::seconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(port);
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = timeout;
  return options;
}

std::string this_host() {
  std::string name(256, '\0');
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.c_str();
}

[[noreturn]] void fail_meeting(const std::string& where, std::chrono::seconds timeout, const std::string& reason) {
  throw DistributedError(
      fmt::format("the leader of this run (rank 0) was not found at {} within {}{}", where,
                  human_duration(static_cast<double>(timeout.count())), reason.empty() ? "" : ": " + reason),
      "look for its message in the log of rank 0; a firewall between the nodes and another job on "
      "that port are the usual causes; distributed.timeout sets the time");
}

/// The leader's store, on the first port that is free.
std::pair<StorePtr, int> serve(const Launch& launch, std::chrono::seconds timeout) {
  std::string reason;
  for (int i = 0; i < launch.port_tries; ++i) {
    const int port = launch.port == 0 ? 0 : launch.port + i;
    try {
      auto store = c10::make_intrusive<c10d::TCPStore>("localhost", store_options(port, /*serves=*/true, timeout));
      return {store, store->getPort()};
    } catch (const std::exception& error) {
      reason = split(error.what(), '\n').front();
    }
  }
  throw DistributedError(fmt::format("no port from {} to {} is free for the processes to meet: {}", launch.port,
                                     launch.port + launch.port_tries - 1, reason),
                         "another job on this machine may hold them; give MASTER_PORT, or start again");
}

StorePtr connect(const Address& address, std::chrono::seconds timeout) {
  try {
    return c10::make_intrusive<c10d::TCPStore>(address.host, store_options(address.port, /*serves=*/false, timeout));
  } catch (const std::exception& error) {
    fail_meeting(to_string(address), timeout, split(error.what(), '\n').front());
  }
}

/// Waits for the leader's file.
Address read_address(const std::filesystem::path& file, const Launch& launch, std::chrono::seconds timeout) {
  const Stopwatch watch;
  const std::string where =
      (launch.host.empty() ? "the address in " : launch.host + ", on the port in ") + file.string();
  for (double next_notice = kNoticeSeconds;; std::this_thread::sleep_for(kPoll)) {
    if (path_exists(file)) {
      const auto words = split(trim(read_file(file)), ' ');
      if (words.size() == 2) return {words[0], std::stoi(words[1])};
    }
    if (watch.seconds() > static_cast<double>(timeout.count())) fail_meeting(where, timeout, "");
    if (watch.seconds() < next_notice) continue;
    log::warning("rank {} has waited {} for the leader at {}", launch.rank, human_duration(watch.seconds()), where);
    next_notice += kNoticeSeconds;
  }
}

}  // namespace

Meeting::Meeting(const Launch& launch, const std::filesystem::path& folder, std::chrono::seconds timeout) {
  const auto file = launch.job.empty() ? std::filesystem::path() : folder / (".rendezvous-" + launch.job);
  if (launch.rank == 0 && !launch.store_is_there) {
    int port = 0;
    std::tie(store, port) = serve(launch, timeout);
    if (file.empty()) return;
    std::filesystem::create_directories(folder);
    write_file_atomically(file, fmt::format("{} {}\n", launch.host.empty() ? this_host() : launch.host, port));
    published_ = file;
  } else {
    store = connect(file.empty() ? Address{launch.host, launch.port} : read_address(file, launch, timeout), timeout);
  }
}

Meeting::~Meeting() {
  std::error_code ignored;
  if (!published_.empty()) std::filesystem::remove(published_, ignored);
}

Meeting::Meeting(Meeting&& other) noexcept
    : store(std::move(other.store)), published_(std::exchange(other.published_, {})) {}

Meeting& Meeting::operator=(Meeting&& other) noexcept {
  std::swap(store, other.store);
  std::swap(published_, other.published_);
  return *this;
}

ServedStore::ServedStore(std::chrono::seconds timeout) { std::tie(store, port) = serve({}, timeout); }

}  // namespace sst::dist
