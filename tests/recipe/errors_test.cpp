// The exact text of every error the recipe engine itself can give. A change here is a change of what users see.

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <set>

#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

struct Case {
  std::string body;    ///< after the three lines of kHead
  std::string report;  ///< all but the closing line
  std::vector<std::string> overrides = {};
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      // --- YAML
      {"a: [\n",
       "r.yaml:5:1: error: not valid YAML: end of sequence flow not found [E-yaml]\n"
       "    5 | \n"
       "      | ^\n"},
      {"optim:\n\tlr: 3\n",
       "r.yaml:5:4: error: not valid YAML: illegal map value [E-yaml]\n"
       "    5 | \tlr: 3\n"
       "      | \t  ^\n"
       "   hint: indent with spaces, not with tabs\n"},
      {"description: \xff\n",
       "r.yaml:4:14: error: byte 0xFF is not UTF-8 [E-utf8]\n"
       "    4 | description: ?\n"
       "      |              ^\n"
       "   hint: save the text as UTF-8\n"},
      {"description: a\x1b[1m\n",
       "r.yaml:4:15: error: control character 0x1B [E-utf8]\n"
       "    4 | description: a?[1m\n"
       "      |               ^\n"
       "   hint: save the text as UTF-8\n"},
      {"---\nb: 3\n",
       "r.yaml:5:1: error: a second document starts here [E-documents]\n"
       "    5 | b: 3\n"
       "      | ^\n"
       "   hint: one document in each file: remove the '---' line\n"},
      {"optim: {lr: 1, name: adam, lr: 2}\n",
       "r.yaml:4:28: error: key 'lr' is given twice in this mapping [E-duplicate-key]\n"
       "    4 | optim: {lr: 1, name: adam, lr: 2}\n"
       "      |                            ^^\n"
       "   hint: the first one is in line 4; keep one\n"},
      {"name: b\n",
       "r.yaml:4:1: error: key 'name' is given twice in this mapping [E-duplicate-key]\n"
       "    4 | name: b\n"
       "      | ^^^^\n"
       "   hint: the first one is in line 2; keep one\n"},
      {"seed: !!int 3\n",
       "r.yaml:4:7: error: tag '!!int' is not read here [E-tag]\n"
       "    4 | seed: !!int 3\n"
       "      |       ^^^^^\n"
       "   hint: remove it: the key decides the type\n"},
      {"optim: !map {lr: 3}\n",
       "r.yaml:4:8: error: tag '!map' is not read here [E-tag]\n"
       "    4 | optim: !map {lr: 3}\n"
       "      |        ^^^^\n"
       "   hint: remove it: the key decides the type\n"},
      {"optim: &a {lr: *a}\n",
       "r.yaml:4:16: error: this alias stands inside the value it refers to [E-alias]\n"
       "    4 | optim: &a {lr: *a}\n"
       "      |                ^^\n"
       "   hint: an alias repeats a finished value\n"},
      {"[a]: 3\n",
       "r.yaml:4:1: error: a list cannot be a key [E-key]\n"
       "    4 | [a]: 3\n"
       "      | ^\n"
       "   hint: a key is a word such as 'optim'\n"},
      {"optim: {<<: 3, lr: 4}\n",
       "r.yaml:4:9: error: '<<' merges mappings, not 3 [E-merge]\n"
       "    4 | optim: {<<: 3, lr: 4}\n"
       "      |         ^^\n"
       "   hint: write '<<: *anchor' with the anchor on a mapping\n"},
      // --- structure
      {"optim: adamw\n",
       "r.yaml:4:8: error: 'optim' is adamw but must be a mapping of keys [E-mapping]\n"
       "    4 | optim: adamw\n"
       "      |        ^^^^^\n"
       "   hint: write its keys below it: optim: {name: ...}\n"},
      {"optim:\n  learning_rate: 8e-3\n",
       "r.yaml:5:3: error: unknown key 'optim.learning_rate' [E-unknown-key]\n"
       "    5 |   learning_rate: 8e-3\n"
       "      |   ^^^^^^^^^^^^^\n"
       "   hint: this key is called 'lr' here\n"},
      {"learn-rate: 8e-3\n",
       "r.yaml:4:1: error: unknown key 'learn-rate' [E-unknown-key]\n"
       "    4 | learn-rate: 8e-3\n"
       "      | ^^^^^^^^^^\n"
       "   hint: this key is called 'optim.lr' here\n"},
      {"hidden_size: 3\n",
       "r.yaml:4:1: error: unknown key 'hidden_size' [E-unknown-key]\n"
       "    4 | hidden_size: 3\n"
       "      | ^^^^^^^^^^^\n"
       "   hint: belongs under 'model'\n"},
      {"method: {optim: {lr: 3}}\n",
       "r.yaml:4:10: error: unknown key 'method.optim' [E-unknown-key]\n"
       "    4 | method: {optim: {lr: 3}}\n"
       "      |          ^^^^^\n"
       "   hint: 'optim' stands at the top level\n"},
      {"model.hidden_size: 4\n",
       "r.yaml:4:1: error: unknown key 'model.hidden_size' [E-unknown-key]\n"
       "    4 | model.hidden_size: 4\n"
       "      | ^^^^^^^^^^^^^^^^^\n"
       "   hint: write it in its section: 'model: {hidden_size: ...}'\n"},
      {"method: {name: lora}\n",
       "r.yaml:4:1: error: 'method.rank' is missing [E-missing]\n"
       "    4 | method: {name: lora}\n"
       "      | ^^^^^^\n"
       "   hint: rank: rank of the update (whole number in [1, 4096])\n"},
      {"method: {name: full, rank: 3}\n",
       "r.yaml:4:22: error: 'method.rank' is not used when 'method.name' is 'full' [E-not-applicable]\n"
       "    4 | method: {name: full, rank: 3}\n"
       "      |                      ^^^^\n"
       "   hint: remove it; it belongs to lora, sst\n"},
      // --- values
      {"optim: {lr: 1/3}\n",
       "r.yaml:4:13: error: 'optim.lr' is 1/3 but must be a number [E-type]\n"
       "    4 | optim: {lr: 1/3}\n"
       "      |             ^^^\n"
       "   hint: fractions are not read; write 0.333333\n"},
      {"data: {use_feats: no}\n",
       "r.yaml:4:19: error: 'data.use_feats' is no but must be true or false [E-type]\n"
       "    4 | data: {use_feats: no}\n"
       "      |                   ^^\n"
       "   hint: write false\n"},
      {"optim: {betas: 3}\n",
       "r.yaml:4:16: error: 'optim.betas' is 3 but must be a list [E-type]\n"
       "    4 | optim: {betas: 3}\n"
       "      |                ^\n"
       "   hint: write [3]\n"},
      {"optim: {lr: [1]}\n",
       "r.yaml:4:13: error: 'optim.lr' is a list but must be a number [E-type]\n"
       "    4 | optim: {lr: [1]}\n"
       "      |             ^\n"},
      {"method: {name: sst, rank: 1, iterations_per_round: never}\n",
       "r.yaml:4:52: error: 'method.iterations_per_round' is never but must be a whole number or auto [E-type]\n"
       "    4 | method: {name: sst, rank: 1, iterations_per_round: never}\n"
       "      |                                                    ^^^^^\n"},
      {"method: {name: lora, rank: 0}\n",
       "r.yaml:4:28: error: 'method.rank' is 0 but must lie in [1, 4096] [E-range]\n"
       "    4 | method: {name: lora, rank: 0}\n"
       "      |                            ^\n"},
      {"optim: {lr: 0}\n",
       "r.yaml:4:13: error: 'optim.lr' is 0 but must be greater than 0 [E-range]\n"
       "    4 | optim: {lr: 0}\n"
       "      |             ^\n"},
      {"optim: {betas: [0.9]}\n",
       "r.yaml:4:16: error: 'optim.betas' has 1 element but must have exactly 2 [E-range]\n"
       "    4 | optim: {betas: [0.9]}\n"
       "      |                ^\n"},
      {"optim: {betas: [1, 0.9]}\n",
       "r.yaml:4:17: error: 'optim.betas.0' is 1 but must lie in [0, 1) [E-range]\n"
       "    4 | optim: {betas: [1, 0.9]}\n"
       "      |                 ^\n"},
      {"method: {name: loar}\n",
       "r.yaml:4:16: error: 'method.name' is 'loar' but must be one of full, lora, sst [E-choice]\n"
       "    4 | method: {name: loar}\n"
       "      |                ^^^^\n"
       "   hint: did you mean 'lora'?\n"},
      {"schedule: {name: noam, warmup_steps: 6000}\nmodel: {hidden_size: 64}\n",
       "r.yaml:4:18: error: 'schedule.name' is 'noam' but must be one of constant, cosine, inverse_sqrt [E-choice]\n"
       "    4 | schedule: {name: noam, warmup_steps: 6000}\n"
       "      |                  ^^^^\n"
       "   hint: noam is 'inverse_sqrt' with optim.lr = factor * hidden_size^-0.5 * warmup_steps^-0.5, here factor * "
       "1.6137e-03\n"},
      {"optim: {name: radam}\n",
       "r.yaml:4:15: error: 'optim.name' is 'radam' but must be one of adam, adamw, riemannian_adam [E-choice]\n"
       "    4 | optim: {name: radam}\n"
       "      |               ^^^^^\n"
       "   hint: write 'riemannian_adam'; Rectified Adam is not offered\n"},
      {"precision: bf16\n",
       "r.yaml:4:12: error: 'precision' is 'bf16' but must be one of fp32, bf16_mixed, or a mapping [E-choice]\n"
       "    4 | precision: bf16\n"
       "      |            ^^^^\n"
       "   hint: did you mean 'bf16_mixed'?\n"},
      {"optim: {lr: null}\n",
       "r.yaml:4:13: error: 'optim.lr' is null, which only optional keys may be [E-null]\n"
       "    4 | optim: {lr: null}\n"
       "      |             ^\n"
       "   hint: leave it out for the default, 0.001\n"},
      {"method: {name: lora, rank: }\n",
       "r.yaml:4:22: error: 'method.rank' is null but must be given [E-null]\n"
       "    4 | method: {name: lora, rank: }\n"
       "      |                      ^^^^\n"
       "   hint: rank of the update\n"},
      {"data: {src_lang: \"a ${b.c}\"}\n",
       "r.yaml:4:18: error: 'data.src_lang': '${b.c}' names no key [E-interpolation]\n"
       "    4 | data: {src_lang: \"a ${b.c}\"}\n"
       "      |                  ^^^^^^^^^^\n"
       "   hint: write '$${' for a literal '${'\n"},
      {"description: ${description}\n",
       "r.yaml:4:14: error: 'description': '${description}' refers to itself [E-interpolation]\n"
       "    4 | description: ${description}\n"
       "      |              ^^^^^^^^^^^^^^\n"
       "   hint: write '$${' for a literal '${'\n"},
      {"data: {src_lang: \"${env:HOME_OF_DATA}\"}\n",
       "r.yaml:4:18: error: 'data.src_lang': '${env:HOME_OF_DATA}' is read in paths only [E-interpolation]\n"
       "    4 | data: {src_lang: \"${env:HOME_OF_DATA}\"}\n"
       "      |                  ^^^^^^^^^^^^^^^^^^^^^\n"
       "   hint: the environment never changes what a recipe computes\n"},
      {"data: {dir: \"${env:NOPE}\"}\n",
       "r.yaml:4:13: error: 'data.dir': environment variable NOPE is not set [E-environment]\n"
       "    4 | data: {dir: \"${env:NOPE}\"}\n"
       "      |             ^^^^^^^^^^^^^\n"
       "   hint: set it, or give a default: ${env:NOPE:-...}\n"},
      // --- overrides
      {"",
       "command line: error: unknown flag '--lr 1e-3' [E-override]\n"
       "   hint: recipe keys take no dashes: write optim.lr=1e-3\n",
       {"--lr", "1e-3"}},
      {"",
       "command line: error: 'foo' is not an override [E-override]\n"
       "   hint: overrides look like method.rank=16 or eval.metrics+=f1\n",
       {"foo"}},
      {"",
       "command line: error: override 'optim.lr=': the value is missing [E-override]\n"
       "   hint: write optim.lr=null to remove the key, or optim.lr='\"\"' for an empty text\n",
       {"optim.lr="}},
      {"",
       "command line: error: override 'description=a: b': the value must be one YAML flow value [E-override]\n"
       "   hint: quote a text that holds ': ' or '- ': description='\"...\"'\n",
       {"description=a: b"}},
      {"",
       "command line: error: override 'optim.lr+=3': 'optim.lr' is not a list [E-override]\n"
       "   hint: write optim.lr=3 to set it\n",
       {"optim.lr+=3"}},
      {"",
       "command line: error: override 'inherit=x': 'inherit' cannot be overridden [E-override]\n"
       "   hint: write a recipe that inherits what you want\n",
       {"inherit=x"}},
      {"",
       "command line: error: override 'optim.lr=[1': not valid YAML: end of sequence flow not found [E-yaml]\n",
       {"optim.lr=[1"}},
      {"",
       "command line: error: override 'train.max_step=100': unknown key [E-unknown-key]\n"
       "   hint: did you mean 'train.max_steps'?\n",
       {"train.max_step=100"}},
      {"",
       "command line: error: override 'optimizer.lr=3': unknown key [E-unknown-key]\n"
       "   hint: did you mean 'optim.lr'?\n",
       {"optimizer.lr=3"}},
      // --- sweep and report
      {"sweep: {axes: {method.rank: 3}}\n",
       "r.yaml:4:29: error: the values of 'method.rank' must be a list that is not empty [E-sweep]\n"
       "    4 | sweep: {axes: {method.rank: 3}}\n"
       "      |                             ^\n"
       "   hint: write [3]\n"},
      {"sweep: {axes: {method.rank: [3]}, tied: [{method.rank: 3}]}\n",
       "r.yaml:4:43: error: 'method.rank' stands in 'sweep.axes' and in 'sweep.tied' [E-sweep]\n"
       "    4 | sweep: {axes: {method.rank: [3]}, tied: [{method.rank: 3}]}\n"
       "      |                                           ^^^^^^^^^^^\n"
       "   hint: keep it in one of them\n"},
      {"sweep: {axes: {method.nam: [sst]}}\n",
       "r.yaml:4:16: error: the sweep names the unknown key 'method.nam' [E-unknown-key]\n"
       "    4 | sweep: {axes: {method.nam: [sst]}}\n"
       "      |                ^^^^^^^^^^\n"
       "   hint: did you mean 'method.name'?\n"},
      {"sweep: {tied: [{method: sst}]}\n",
       "r.yaml:4:17: error: the sweep names the unknown key 'method' [E-unknown-key]\n"
       "    4 | sweep: {tied: [{method: sst}]}\n"
       "      |                 ^^^^^^\n"
       "   hint: name one of its keys: method.name\n"},
      {"sweep: {exclude: [{method.name: full}]}\n",
       "r.yaml:4:1: error: the sweep has neither 'axes', 'tied', 'seeds' nor 'recipes' [E-sweep]\n"
       "    4 | sweep: {exclude: [{method.name: full}]}\n"
       "      | ^^^^^\n"},
      {"report: {metric: f1}\n",
       "r.yaml:4:18: error: 'report.metric' is 'f1' but must name a split and a metric [E-report]\n"
       "    4 | report: {metric: f1}\n"
       "      |                  ^^\n"
       "   hint: for example test/f1\n"},
      {"report: {rows: method.nme}\n",
       "r.yaml:4:16: error: the report names the unknown key 'method.nme' [E-unknown-key]\n"
       "    4 | report: {rows: method.nme}\n"
       "      |                ^^^^^^^^^^\n"
       "   hint: did you mean 'method.name'?\n"},
      {"report: {paper: {values: [{method.name: full}]}}\n",
       "r.yaml:4:27: error: a row of 'report.paper.values' must be a mapping with a 'value' [E-report]\n"
       "    4 | report: {paper: {values: [{method.name: full}]}}\n"
       "      |                           ^\n"
       "   hint: for example {method.name: sst, value: 22.28}\n"},
  };
  return all;
}

/// Errors that need more than three lines before them.
std::string report_of(const std::string& text, const LoadOptions& options = {}) {
  Diagnostics diagnostics;
  load_text(text, "r.yaml", options, schema(), diagnostics);
  return diagnostics.render();
}

const std::string kOneError = "1 error, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n";

}  // namespace

TEST_CASE("each mistake is reported in exactly these words", "[recipe]") {
  for (const Case& one : cases()) {
    CAPTURE(one.body, one.overrides);
    CHECK(problems(one.body, one.overrides) == one.report);
  }
}

TEST_CASE("a recipe that is none is refused in exactly these words", "[recipe]") {
  CHECK(report_of("- a\n- b\n") ==
        "r.yaml:1:1: error: a recipe is a mapping of keys, not a list [E-mapping]\n"
        "    1 | - a\n      | ^\n"
        "   hint: start with the line 'recipe_version: 1'\n" +
            kOneError);
  CHECK(report_of("") ==
        "r.yaml: error: a recipe is a mapping of keys, not null [E-mapping]\n"
        "   hint: start with the line 'recipe_version: 1'\n" +
            kOneError);
  CHECK(report_of(std::string((1 << 20) + 1, '#')) ==
        "r.yaml: error: the file has 1.0 MiB, more than 1.0 MiB [E-size]\n   hint: is this a recipe?\n" + kOneError);
  CHECK(report_of("recipe_version: 2\nname: a\ntask: link_prediction\n") ==
        "r.yaml:1:17: error: 'recipe_version' is 2 but this program reads version 1 [E-version]\n"
        "    1 | recipe_version: 2\n      |                 ^\n   hint: use a newer sst-train\n" +
            kOneError);
  CHECK(report_of("name: a\ntask: link_prediction\n") ==
        "r.yaml: error: 'recipe_version' is missing [E-missing]\n   hint: start with the line 'recipe_version: 1'\n" +
            kOneError);
  CHECK(report_of("recipe_version: 1\nname: ../../etc/passwd\ntask: link_prediction\n") ==
        "r.yaml:2:7: error: 'name' is '../../etc/passwd' but has to do as the name of a folder [E-name]\n"
        "    2 | name: ../../etc/passwd\n      |       ^^^^^^^^^^^^^^^^\n"
        "   hint: use letters, digits, '.', '_' and '-', at most 128, not starting with '.'\n" +
            kOneError);
}

TEST_CASE("names that could leave the run directory are refused", "[recipe]") {
  for (const std::string name : {"..", ".", ".hidden", "a/b", "/etc", "a b", "\"a\\0b\"", "\"\"", "é", "a\\b", "~"}) {
    CAPTURE(name);
    CHECK_THAT(report_of("recipe_version: 1\nname: " + name + "\ntask: link_prediction\n"),
               ContainsSubstring("'name' is"));
  }
  CHECK(report_of("recipe_version: 1\nname: -a.B_9\ntask: link_prediction\n").empty());
  CHECK(report_of("recipe_version: 1\nname: " + std::string(128, 'a') + "\ntask: link_prediction\n").empty());
  CHECK_FALSE(report_of("recipe_version: 1\nname: " + std::string(129, 'a') + "\ntask: link_prediction\n").empty());
}

TEST_CASE("a file that is not there is named with the reason", "[recipe]") {
  Diagnostics diagnostics;
  load("/nowhere/r.yaml", {}, schema(), diagnostics);
  CHECK(diagnostics.render() ==
        "command line: error: cannot read '/nowhere/r.yaml': No such file or directory [E-file]\n" + kOneError);
}

TEST_CASE("five different mistakes give five located errors, in the order of the file", "[recipe]") {
  Diagnostics diagnostics;
  load_body(
      "data: {use_feats: yes}\n"
      "model: {hidden_siez: 16}\n"
      "method: {name: lora}\n"
      "optim: {lr: -1}\n"
      "schedule: {name: noam}\n",
      diagnostics);
  std::vector<std::string> found;
  for (const Diagnostic& one : diagnostics.all()) found.push_back(one.place.text() + " " + one.id);
  CHECK(found == std::vector<std::string>{"r.yaml:4:19 E-type", "r.yaml:5:9 E-unknown-key", "r.yaml:6:1 E-missing",
                                          "r.yaml:7:13 E-range", "r.yaml:8:18 E-choice"});
}

TEST_CASE("a wrong method is one error, not one for each of its keys", "[recipe]") {
  Diagnostics diagnostics;
  load_body("method: {name: lroa, rank: 3, sampling: uniform, alpha: 2}\n", diagnostics);
  CHECK(diagnostics.errors() == 1);
}

TEST_CASE("a key of another method is traced to the file that chose the method", "[recipe]") {
  const Folder folder;
  folder.write("base.yaml", kHead + "method: {name: full}\n");
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: base.yaml\nmethod: {rank: 2}\n");
  Diagnostics diagnostics;
  load(path, {}, schema(), diagnostics);
  REQUIRE(diagnostics.all().size() == 2);
  CHECK(diagnostics.all()[0].id == "E-not-applicable");
  CHECK(diagnostics.all()[1].severity == Severity::kNote);
  CHECK(diagnostics.all()[1].place.text() == (folder.path() / "base.yaml").string() + ":4:16");
  CHECK(diagnostics.all()[1].message == "'method.name: full' comes from here");
}

TEST_CASE("every identifier of the engine has its exact text tested", "[recipe]") {
  std::set<std::string> in_code, in_tests;
  const auto collect = [](const std::filesystem::path& path, const std::string& pattern, std::set<std::string>& into) {
    std::ifstream stream(path);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const std::regex identifier(pattern);
    for (std::sregex_iterator i(text.begin(), text.end(), identifier), end; i != end; ++i) into.insert((*i)[1]);
  };
  const std::filesystem::path root = SST_SOURCE_DIR;
  for (const auto& file : std::filesystem::directory_iterator(root / "lib/recipe"))
    if (file.path().extension() == ".cpp") collect(file.path(), "\"([EW]-[a-z-]+)\"", in_code);
  for (const auto& file : std::filesystem::directory_iterator(root / "tests/recipe"))
    if (file.path().extension() == ".cpp") collect(file.path(), "\\[([EW]-[a-z-]+)\\]", in_tests);
  CHECK(in_code.size() >= 28);
  for (const std::string& id : in_code) {
    CAPTURE(id);
    CHECK(in_tests.count(id) == 1);
  }
}

}  // namespace sst::recipe_test
