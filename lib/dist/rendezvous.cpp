#include "dist/rendezvous.hpp"

#include <fmt/core.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
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

constexpr std::chrono::milliseconds kPoll(100);
constexpr std::chrono::milliseconds kKnock(2000);  // for a host that says neither yes nor no

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

/// What the leader's file says, once it is there.
std::optional<Address> published_address(const std::filesystem::path& file) {
  std::ifstream words(file);
  Address address;
  return words >> address.host >> address.port ? std::optional(address) : std::nullopt;
}

/// Why nobody can be reached there; "" where somebody listens. LibTorch's store would find out too, but overruns its time
/// and prints a page for each try.
std::string problem_at(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unknown = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (unknown != 0) return ::gai_strerror(unknown);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int knock = ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    error = knock >= 0 && ::connect(knock, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd waiting{.fd = knock, .events = POLLOUT, .revents = 0};
      socklen_t size = sizeof error;
      if (::poll(&waiting, 1, static_cast<int>(kKnock.count())) == 1)
        ::getsockopt(knock, SOL_SOCKET, SO_ERROR, &error, &size);
      else
        error = ETIMEDOUT;
    }
    if (knock >= 0) ::close(knock);
    if (error == 0) return "";
  }
  return std::strerror(error);
}

/// Looks for the leader until the time is up, and says now and then that it waits. The file is looked at each time: one that
/// a killed leader of the same job left tells where nobody is any more.
StorePtr find_leader(const Launch& launch, const std::filesystem::path& file, const MeetingTimes& times) {
  const Stopwatch watch;
  const auto timeout = static_cast<double>(times.timeout.count()), notice = static_cast<double>(times.notice.count());
  std::string reason,
      where = (launch.host.empty() ? "the address in " : launch.host + ", on the port in ") + file.string();
  for (double next_notice = notice;; std::this_thread::sleep_for(kPoll)) {
    if (const auto address =
            file.empty() ? std::optional(Address{launch.host, launch.port}) : published_address(file)) {
      where = to_string(*address);
      reason = problem_at(*address);
      try {
        if (reason.empty())
          return c10::make_intrusive<c10d::TCPStore>(address->host,
                                                     store_options(address->port, /*serves=*/false, times.timeout));
      } catch (const std::exception& error) {
        reason = split(error.what(), '\n').front();
      }
    }
    if (watch.seconds() > timeout) fail_meeting(where, times.timeout, reason);
    if (watch.seconds() < next_notice) continue;
    log::warning("rank {} has waited {} for the leader at {}", launch.rank, human_duration(watch.seconds()), where);
    next_notice += notice;
  }
}

}  // namespace

Meeting::Meeting(const Launch& launch, const std::filesystem::path& folder, const MeetingTimes& times) {
  const auto file = launch.job.empty() ? std::filesystem::path() : folder / (kRendezvous + launch.job);
  if (launch.rank == 0 && !launch.store_is_there) {
    int port = 0;
    std::tie(store, port) = serve(launch, times.timeout);
    if (file.empty()) return;
    std::filesystem::create_directories(folder);
    write_file_atomically(file, fmt::format("{} {}\n", launch.host.empty() ? this_host() : launch.host, port));
    published_ = file;
  } else {
    store = find_leader(launch, file, times);
  }
}

void Meeting::unpublish() {
  std::error_code ignored;
  if (!published_.empty()) std::filesystem::remove(std::exchange(published_, {}), ignored);
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
