#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::TemporaryFolder;

/// hyp, ref, other and two malformed files in a folder of their own.
struct ScoredFiles {
  TemporaryFolder folder;
  Program program{folder.path()};

  ScoredFiles() {
    write("ref", "The cat is on the mat .\nA man rides a horse at the beach.\nTwo dogs are playing in the snow.\n");
    write("hyp", "The cat sat on the mat .\nA man is riding a horse on the beach.\nTwo dogs play in the snow\n");
    write("other", "The cat is on the mat .\nA man\nDogs\n");
    write("short", "one\ntwo\n");
    write("latin", "a\nb \xFF\nc\n");
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder / name) << text; }
};

}  // namespace

TEST_CASE("score prints the scores of translations with sacreBLEU's signature", "[end_to_end]") {
  const ScoredFiles files;
  const Outcome outcome =
      files.program.run({"score", "--hyp", "hyp", "--ref", "ref", "--metrics", "bleu,chrf", "--multi-bleu"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out,
             ContainsSubstring("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 27.92 "
                               "78.3/55.0/23.5/7.1 (BP = 0.957 ratio = 0.958 hyp_len = 23 ref_len = 24)\n"));
  CHECK_THAT(outcome.out,
             ContainsSubstring("chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0 = 58.25\n"));
  CHECK_THAT(outcome.out, ContainsSubstring("\nmulti-bleu|nrefs:1|case:mixed|tok:none|smooth:none|version:2.6.0 = "));
}

TEST_CASE("score reads translations from standard input and several references, and writes JSON", "[end_to_end]") {
  ScoredFiles files;
  files.program.input = "ref";
  const Outcome outcome = files.program.run({"score", "--hyp", "-", "--ref", "other", "hyp", "--ref", "ref",
                                             "--baseline", "hyp", "--bootstrap", "100", "--json"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json.at("sentences") == 3);
  const auto& score = json.at("scores").at(0);
  CHECK(score.at("name") == "BLEU");
  CHECK(score.at("signature") == "nrefs:3|bs:100|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  CHECK(score.at("score").get<double>() == Approx(100));
  CHECK(score.at("baseline").at("score").get<double>() == Approx(100));  // it is one of the references
  CHECK(score.at("p_value").get<double>() == Approx(1.0 / 101));
}

TEST_CASE("what cannot be scored is an error with file and line", "[end_to_end]") {
  const ScoredFiles files;
  const auto message = [&](std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin(), "score");
    const Outcome outcome = files.program.run(arguments);
    CHECK(outcome.code == code);
    CHECK(outcome.out.empty());
    return outcome.err;
  };
  CHECK_THAT(message({"--hyp", "hyp", "--ref", "short"}, 3),
             ContainsSubstring("short:2: the file ends with this line, but hyp has 3 lines"));
  CHECK_THAT(message({"--hyp", "latin", "--ref", "ref"}, 3), ContainsSubstring("latin:2: byte 3 of the line (0xff)"));
  CHECK_THAT(message({"--hyp", "absent", "--ref", "ref"}, 3), ContainsSubstring("absent"));
  CHECK_THAT(message({"--hyp", "hyp", "--ref", "ref", "--metrics", "blue"}, 2),
             ContainsSubstring("did you mean 'bleu'"));
  CHECK_THAT(message({"--hyp", "hyp", "--ref", "ref", "--tokenize", "14a"}, 2),
             ContainsSubstring("did you mean '13a'"));
  CHECK_THAT(message({"--hyp", "hyp", "--ref", "ref", "--smooth-value", "1"}, 2),
             ContainsSubstring("--smooth-value has no meaning for --smooth exp"));
  CHECK_THAT(message({"--hyp", "hyp"}, 2), ContainsSubstring("--hyp needs the references"));
  CHECK_THAT(message({"--ref", "ref"}, 2), ContainsSubstring("--ref needs the translations"));
  CHECK_THAT(message({"some/run", "--hyp", "hyp", "--ref", "ref"}, 2), ContainsSubstring("needs no model"));
  CHECK_THAT(message({"--hyp", "-", "--ref", "-"}, 2), ContainsSubstring("can be read once only"));
  CHECK_THAT(message({}, 2), ContainsSubstring("score needs a run, a checkpoint, or --hyp FILE"));
}

}  // namespace sst
