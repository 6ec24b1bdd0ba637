#include <algorithm>
#include <fstream>
#include <set>

#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"
#include "tasks/language_modeling.hpp"
#include "tasks/translation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/processes.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/temporary_folder.hpp"

// Which samples the processes of a run compute in a step.
namespace sst::run {
namespace {

constexpr int64_t kSharedSteps = 9;  // past the end of an epoch of either recipe

using Sample = std::vector<int64_t>;       // the numbers of a row
using Samples = std::vector<Sample>;       // of a step
using Course = std::vector<Samples>;       // step by step
using Share = std::pair<Course, int64_t>;  // of one process, and how many of its rows were others'

/// Words that never come in the same order twice, so that a sequence tells its place.
void write_distinct_texts(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "data/smoke");
  for (const char* split : {"train.txt", "valid.txt"}) {
    std::ofstream file(folder / "data/smoke" / split);
    for (int i = 0; i < 100; ++i) file << i * 7919 % 10007 << " ";
  }
}

void write_distinct_pairs(const std::filesystem::path& folder) {
  testing::write_smoke_pairs(folder);
  std::ofstream source(folder / "data/smoke/train.src"), target(folder / "data/smoke/train.tgt");
  for (int i = 0; i < 60; ++i) {
    source << "a" << i << (i % 3 == 0 ? " b" : "") << "\n";
    target << (i % 4 == 0 ? "c " : "") << "d" << i << "\n";
  }
}

void add_rows(const torch::Tensor& rows, Samples& samples) {
  const torch::Tensor whole = rows.contiguous();
  for (int64_t row = 0; row < whole.size(0); ++row) {
    const auto* const first = whole[row].const_data_ptr<int64_t>();
    samples.emplace_back(first, first + whole.size(1));
  }
}

/// What a process computes of a part; 1 where that counts elsewhere.
int64_t add_own(const tasks::LanguageModeling& task, int64_t part, Samples& samples) {
  const auto own = task.part_of_step(part);
  add_rows(torch::cat({own.inputs, own.targets}, 1), samples);
  return 0;
}

int64_t add_own(const tasks::Translation& task, int64_t part, Samples& samples) {
  const auto own = task.own_rows(part);
  if (own.is_spare) return 1;
  add_rows(torch::cat({own.batch.source, own.batch.target}, 1), samples);
  return 0;
}

/// What each of `processes` computes, by rank.
template <class Task>
std::vector<Share> shares(const std::string& name, const std::vector<std::string>& overrides, int64_t processes) {
  recipe::Diagnostics diagnostics;
  const auto recipe = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/" + name + ".yaml",
                                   {.overrides = overrides}, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return testing::on_each(processes, [&](const dist::Group& group) {
    const Assembly assembly = assemble(recipe, {&group, [](const dist::Group*) {}});
    auto& task = dynamic_cast<Task&>(*assembly.task);
    Share share;
    for (int64_t step = 0; step < kSharedSteps; ++step) {
      Samples& samples = share.first.emplace_back();
      const int64_t parts = task.step_shape(step).parts;
      for (int64_t part = 0; part < parts; ++part) share.second += add_own(task, part, samples);
    }
    return share;
  });
}

/// All that is computed in each step, whoever does it.
Course together(const std::vector<Share>& shares) {
  Course all(kSharedSteps);
  for (const auto& [course, spare] : shares)
    for (size_t step = 0; step < all.size(); ++step)
      all[step].insert(all[step].end(), course[step].begin(), course[step].end());
  for (Samples& samples : all) std::sort(samples.begin(), samples.end());
  return all;
}

/// Equal lists would say little if all samples were alike.
size_t distinct(const Course& course) {
  std::set<Sample> all;
  for (const Samples& samples : course) all.insert(samples.begin(), samples.end());
  return all.size();
}

/// Rows that processes compute though they count elsewhere.
int64_t spare_rows(const std::vector<Share>& shares) {
  int64_t rows = 0;
  for (const auto& [course, spare] : shares) rows += spare;
  return rows;
}

}  // namespace

TEST_CASE("a step of a language model has the same sequences for one, two and four processes", "[run]") {
  const testing::TemporaryFolder folder;
  write_distinct_texts(folder.path());
  const std::string micro_batch = GENERATE("auto", "1");
  CAPTURE(micro_batch);
  const std::vector<std::string> overrides = {"data_root=" + (folder / "data").string(),
                                              "train.micro_batch=" + micro_batch};
  const Course alone = together(shares<tasks::LanguageModeling>("lm_full", overrides, 1));
  CHECK(distinct(alone) > 20);
  for (const int64_t processes : {2, 4}) {
    CAPTURE(processes);
    const auto own = shares<tasks::LanguageModeling>("lm_full", overrides, processes);
    CHECK(together(own) == alone);
    for (const auto& [course, spare] : own)
      for (const Samples& samples : course) CHECK(std::ssize(samples) == 4 / processes);
  }
}

TEST_CASE("a step of translation has the same pairs for one, two and four processes, and for more than it has rows",
          "[run]") {
  const testing::TemporaryFolder folder;
  write_distinct_pairs(folder.path());
  const std::string max_tokens = GENERATE("32", "8");
  CAPTURE(max_tokens);
  const std::vector<std::string> overrides = {"data_root=" + (folder / "data").string(),
                                              "train.max_tokens=" + max_tokens, "train.global_batch_tokens=64"};
  const auto one = shares<tasks::Translation>("mt_full", overrides, 1);
  const Course alone = together(one);
  CHECK(distinct(alone) > 50);
  CHECK(spare_rows(one) == 0);
  for (const int64_t processes : {2, 4}) {
    CAPTURE(processes);
    const auto own = shares<tasks::Translation>("mt_full", overrides, processes);
    CHECK(together(own) == alone);
    CHECK((spare_rows(own) > 0) == (max_tokens == "8" && processes == 4));
  }
}

}  // namespace sst::run
