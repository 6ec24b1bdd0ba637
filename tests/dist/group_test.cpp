#include "dist/group.hpp"

#include <torch/nn.h>

#include <fstream>
#include <future>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "dist/gradient_reducer.hpp"
#include "dist/rendezvous.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/processes.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::dist {

using testing::kPatience;
using testing::on_each;
using torch::Tensor;

TEST_CASE("sums, maxima, broadcasts and texts reach every process", "[dist]") {
  const int64_t size = GENERATE(1, 2, 3, 4);
  CAPTURE(size);
  const auto seen = on_each(size, [](const Group& group) {
    const auto rank = static_cast<double>(group.rank());
    Tensor tensor = torch::full({5}, rank + 1, torch::kFloat64);
    group.sum_(tensor);
    std::vector<double> numbers = {rank, 1};
    group.sum_(numbers);
    Tensor sent = torch::full({2, 2}, rank).t();
    group.broadcast_(sent, group.size() - 1);
    const auto said = static_cast<double>(group.from_leader(10 + group.rank()));
    const auto texts = group.gather("rank " + std::string(static_cast<size_t>(group.rank()), 'x'));
    group.barrier();
    return std::tuple(tensor[4].item<double>(), numbers[0], numbers[1], group.largest(rank), sent[0][1].item<double>(),
                      said, texts);
  });
  std::vector<std::string> texts;
  for (int64_t rank = 0; rank < size; ++rank) texts.push_back("rank " + std::string(static_cast<size_t>(rank), 'x'));
  const double n = static_cast<double>(size), last = n - 1;
  for (const auto& one : seen) CHECK(one == std::tuple(n * (n + 1) / 2, last * n / 2, n, last, last, 10.0, texts));
}

TEST_CASE("gradients are summed while backward runs, over several passes of a step", "[dist]") {
  const int64_t size = GENERATE(2, 4);
  constexpr int64_t kRows = 8, kPasses = 2;
  const auto inputs = [](int64_t rank, int64_t pass) {
    return torch::arange(kRows * 300, torch::kFloat64).view({kRows, 300}).sin() +
           0.1 * static_cast<double>(rank * kPasses + pass);
  };
  const auto weights = [] {
    std::vector<Tensor> all = {torch::linspace(-1, 1, 300 * 700, torch::kFloat64).view({300, 700}),
                               torch::linspace(1, -1, 700 * 3, torch::kFloat64).view({700, 3}),
                               torch::zeros({3}, torch::kFloat64)};
    for (Tensor& one : all) one.requires_grad_();
    return all;
  };
  const auto backward = [&](const std::vector<Tensor>& w, int64_t rank, int64_t pass) {
    (inputs(rank, pass).mm(w[0]).tanh().mm(w[1]) + w[2]).square().sum().backward();
  };
  const auto gradients = [](const std::vector<Tensor>& w) {
    std::vector<Tensor> all;
    for (const Tensor& one : w) all.push_back(one.grad().clone());
    return all;
  };
  auto alone = weights();
  for (int64_t rank = 0; rank < size; ++rank)
    for (int64_t pass = 0; pass < kPasses; ++pass) backward(alone, rank, pass);
  const auto seen = on_each(size, [&](const Group& group) {
    auto w = weights();
    GradientReducer reducer(group, w);
    std::vector<std::vector<Tensor>> steps;
    for (int step = 0; step < 3; ++step) {
      for (Tensor& one : w) one.mutable_grad() = Tensor();
      for (int64_t pass = 0; pass < kPasses; ++pass) {
        if (pass + 1 == kPasses) reducer.expect_last_pass();
        backward(w, group.rank(), pass);
      }
      steps.push_back(gradients(w));
    }
    for (Tensor& one : w) one.mutable_grad() = Tensor();
    for (int64_t pass = 0; pass < kPasses; ++pass) backward(w, group.rank(), pass);
    sum_gradients(group, w);
    steps.push_back(gradients(w));
    return steps;
  });
  for (const auto& steps : seen)
    for (size_t i = 0; i < alone.size(); ++i) {
      for (const auto& step : steps) CHECK(torch::allclose(step[i], alone[i].grad(), 1e-12, 1e-10));
      CHECK(torch::equal(steps[0][i], seen[0][0][i]));  // the same bits everywhere
      CHECK(torch::equal(steps[0][i], steps[1][i]));    // and every time
    }
}

TEST_CASE("a leader that does not come is named with its address", "[dist]") {
  const testing::TemporaryFolder folder;
  const Launch launch{.by = Launch::By::kSlurm, .rank = 1, .size = 2, .host = "n03", .port = 20007, .job = "7.0.0"};
  CHECK_THROWS_WITH(
      Group(launch, {.timeout = std::chrono::seconds(1), .folder = folder.path()}),
      ContainsSubstring("n03") && ContainsSubstring(".rendezvous-7.0.0") && ContainsSubstring("within 1"));
}

TEST_CASE("the file of rendezvous goes with the leader", "[dist]") {
  const testing::TemporaryFolder folder;
  const Launch launch{.by = Launch::By::kSlurm, .rank = 0, .size = 2, .host = "localhost", .port = 0, .job = "7.0.0"};
  {
    const Meeting meeting(launch, folder.path(), {.timeout = kPatience});
    CHECK(std::filesystem::exists(folder / ".rendezvous-7.0.0"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / ".rendezvous-7.0.0"));
}

TEST_CASE("who waits for the leader says so, and at which address, until the time is up", "[dist]") {
  const testing::TemporaryFolder folder;
  const bool by_file = GENERATE(false, true);
  const Launch launch{
      .rank = 1, .size = 2, .host = by_file ? "" : "127.0.0.1", .port = 1, .job = by_file ? "7.0.0" : ""};
  const std::string where = by_file ? "the address in " + (folder / ".rendezvous-7.0.0").string() : "127.0.0.1:1";
  log::open_file(folder / "log.txt");
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(
      Meeting(launch, folder.path(), {.timeout = std::chrono::seconds(3), .notice = std::chrono::seconds(1)}),
      ContainsSubstring("was not found at " + where + " within 3.0 s"));
  CHECK(std::chrono::steady_clock::now() - start < kPatience);
  log::close_file();
  const std::string text = read_file(folder / "log.txt");
  CHECK_THAT(text, ContainsSubstring("rank 1 has waited 1"));
  CHECK_THAT(text, ContainsSubstring("for the leader at " + where + "\n"));
}

TEST_CASE("an address that a killed leader has left does not lead the next one's processes astray", "[dist]") {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / ".rendezvous-job") << "localhost 1\n";
  const MeetingTimes times{.timeout = kPatience, .notice = std::chrono::seconds(1)};
  auto second = std::async(std::launch::async, [&] {
    const Meeting meeting({.rank = 1, .size = 2, .job = "job"}, folder.path(), times);
    return meeting.store->get("word");
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const Meeting first({.rank = 0, .size = 2, .host = "localhost", .job = "job"}, folder.path(), times);
  const std::vector<uint8_t> word = {'h', 'i'};
  first.store->set("word", word);
  CHECK(second.get() == word);
}

TEST_CASE("a port that is taken is passed over", "[dist]") {
  const testing::TemporaryFolder folder;
  const ServedStore other(kPatience);
  const Launch launch{.by = Launch::By::kSlurm,
                      .rank = 0,
                      .size = 2,
                      .host = "localhost",
                      .port = other.port,
                      .port_tries = 16,
                      .job = "7.0.0"};
  const Meeting meeting(launch, folder.path(), {.timeout = kPatience});
  std::ifstream file(folder / ".rendezvous-7.0.0");
  std::string host;
  int port = 0;
  file >> host >> port;
  CHECK(port > other.port);
  CHECK(port < other.port + 16);
}

TEST_CASE("a barrier may wait longer than any exchange", "[dist]") {
  const auto seen = on_each(
      2,
      [](const Group& group) {
        if (group.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(3));
        group.barrier(kPatience);
        return group.from_leader(7, kPatience);
      },
      std::chrono::seconds(1));
  CHECK(seen == std::vector<int64_t>{7, 7});
}

TEST_CASE("a process that is lost ends the others' exchange", "[dist]") {
  const auto seen = on_each(2, [](const Group& group) -> std::string {
    if (group.rank() == 1) return "gone";
    try {
      group.barrier();
      return "nothing";
    } catch (const DistributedError& error) {
      return error.what();
    }
  });
  CHECK_THAT(seen[0], ContainsSubstring("another process was lost"));
}

}  // namespace sst::dist
