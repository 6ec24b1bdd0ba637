#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/program.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::testing {

/// A folder with the data of the smoke recipes, and the program in it.
struct Site {
  Site() {
    write_smoke_texts(folder.path());
    write_smoke_pairs(folder.path());
  }
  Outcome train(const std::string& recipe, const std::string& out, std::vector<std::string> more = {},
                const Program::Environment& environment = {}) const {
    return program.run(command(recipe, out, std::move(more)), environment);
  }
  static std::vector<std::string> command(const std::string& recipe, const std::string& out,
                                          std::vector<std::string> more) {
    more.insert(more.begin(), {source("recipes/smoke/" + recipe + ".yaml"), "--out", out});
    return more;
  }
  bool are_equal(const std::string& a, const std::string& b) const {
    return program.run({"inspect", a, "--diff", b}).code == 0;
  }
  /// What the run wrote of its steps and evaluations, a number for each.
  std::vector<double> losses(const std::string& out,
                             const std::vector<const char*>& keys = {"train/loss", "valid/loss", "valid/bleu"}) const {
    std::vector<double> all;
    std::ifstream lines(folder.path() / out / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      for (const char* key : keys)
        if (json.contains(key)) all.push_back(json[key].get<double>());
    }
    return all;
  }

  TemporaryFolder folder;
  Program program{folder.path()};
};

}  // namespace sst::testing
