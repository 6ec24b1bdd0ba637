// Damaged recipes: whatever the bytes, loading ends, and says what is wrong instead of crashing.

#include <algorithm>

#include "core/seeds.hpp"
#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

const std::string kWhole =
    "recipe_version: 1\nname: a\ntask: node_classification\ndescription: \"x ${task} $${y}\"\n"
    "data: &d {dir: \"${env:HOME:-/x}/${name}\", src_lang: no, format: hgcn}\n"
    "model: {hidden_size: 1_0K, dropout: .5}\n"
    "method:\n  name: sst\n  rank: 2\n  iteration_interval: 2epoch\n  targets: [\"*.q\", '*']\n"
    "optim: {lr: 1E-4, betas: [0.9, 0.99], weight_decay_on: all}\ntrain: {max_time: 1h30min, max_steps: ~}\n"
    "precision: bf16_mixed\nruntime: {cache: 8GiB, device: \"cuda:1\"}\n"
    "sweep:\n  axes: {method.rank: [1, 2]}\n  tied:\n    - {method.name: full}\n    - {method.name: sst}\n  seeds: [1, "
    "2]\n"
    "report: {rows: method.name, metric: test/f1, paper: {values: [{method.name: sst, value: 22.28}]}}\n";

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> all = {"\n",      " ",           "  ",     "\t",
                                               ":",       ": ",          "- ",     "[",
                                               "]",       "{",           "}",      ",",
                                               "#",       "&a ",         "*a",     "*d",
                                               "<<: *d",  "!",           "!!x ",   "\"",
                                               "'",       "|\n",         ">\n",    "---\n",
                                               "...\n",   "%YAML 1.2\n", "? ",     "~",
                                               "null",    "${",          "}",      "$${",
                                               "\\",      "\xff",        "\xc3",   "\x01",
                                               "é",       "1e999",       "-1",     "nan",
                                               "0",       "name",        "method", "inherit: r.yaml\n",
                                               "${name}", "sweep",       "\r\n",   "\xEF\xBB\xBF"};
  return all;
}

std::string damaged(const std::string& text, CounterRng& rng) {
  std::string result = text;
  const uint64_t changes = 1 + rng.below(4);
  for (uint64_t i = 0; i < changes && !result.empty(); ++i) {
    const size_t at = rng.below(result.size());
    const size_t length = std::min<size_t>(rng.below(12), result.size() - at);
    switch (rng.below(5)) {
      case 0:
        result.erase(at, length);
        break;
      case 1:
        result.insert(at, pieces()[rng.below(pieces().size())]);
        break;
      case 2:
        result[at] = static_cast<char>(rng.below(256));
        break;
      case 3:
        result.insert(rng.below(result.size()), result.substr(at, 4 * length));
        break;
      default:
        result.replace(at, length, pieces()[rng.below(pieces().size())]);
        break;
    }
  }
  return result;
}

/// Loads, and uses what came back as a program would.
void use(const std::string& text, const std::vector<std::string>& overrides) {
  Diagnostics diagnostics;
  const Recipe recipe = load_text(text, "r.yaml", {.overrides = overrides}, schema(), diagnostics);
  recipe.read<TopOptions>("");
  recipe.read<SstOptions>("method");
  recipe.read<OptimOptions>("optim");
  recipe.read<EvalOptions>("eval");
  CHECK(find_bad_byte(diagnostics.render()) == std::string::npos);
  if (diagnostics.has_errors()) {
    CHECK_THROWS_AS(diagnostics.throw_if_errors(), RecipeError);
    return;
  }
  Diagnostics again;
  const Recipe reloaded = load_text(recipe.to_yaml(), "again.yaml", {}, schema(), again);
  CHECK(again.render().empty());
  CHECK(reloaded.to_yaml() == recipe.to_yaml());
}

}  // namespace

TEST_CASE("a damaged recipe gives errors or a recipe, never a crash", "[recipe]") {
  CounterRng rng(20261122, Stream::kData);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = damaged(kWhole, rng);
    CAPTURE(i, text);
    Diagnostics diagnostics;
    CHECK_NOTHROW(use(text, {}));
    load_text(text, "r.yaml", {}, schema(), diagnostics);
    refused += diagnostics.has_errors() ? 1 : 0;
  }
  CHECK(refused > 2000);
  CHECK(refused < 4000);
}

TEST_CASE("damaged overrides give errors or a recipe, never a crash", "[recipe]") {
  CounterRng rng(7, Stream::kData);
  const std::vector<std::string> whole = {"method.rank=16",
                                          "optim={lr: 1, betas: [0.1, 0.2]}",
                                          "eval.metrics+=f1",
                                          "sweep.tied.0.seed=3",
                                          "optim.betas.0=0.5",
                                          "sweep.axes.method.name=[full]",
                                          "description=\"a b\"",
                                          "precision=fp32",
                                          "--lr"};
  for (int i = 0; i < 2000; ++i) {
    const std::vector<std::string> overrides = {damaged(whole[rng.below(whole.size())], rng),
                                                damaged(whole[rng.below(whole.size())], rng)};
    CAPTURE(i, overrides);
    CHECK_NOTHROW(use(kWhole, overrides));
  }
}

TEST_CASE("a recipe cut anywhere gives errors or a recipe, never a crash", "[recipe]") {
  for (size_t length = 0; length < kWhole.size(); ++length) {
    CAPTURE(length);
    CHECK_NOTHROW(use(kWhole.substr(0, length), {}));
  }
}

}  // namespace sst::recipe_test
