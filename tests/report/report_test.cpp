#include "report/pages.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "report/charts.hpp"
#include "report/gnuplot.hpp"
#include "report/plot.hpp"
#include "tests/report/made_runs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace sst::report;
using sst::testing::made_run;
using sst::testing::made_runs;
using sst::testing::made_spec;
using sst::testing::TemporaryFolder;

namespace {

/// PATH as it is inside the scope: a machine that has nothing installed.
class EmptyPath {
 public:
  EmptyPath() : before_(std::getenv("PATH")) { ::setenv("PATH", "/nonexistent", 1); }
  ~EmptyPath() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

bool has_gnuplot() {
  static const bool has = run_gnuplot("print 1\n").has_value();
  if (!has) sst::testing::skip("no gnuplot on this machine");
  return has;
}

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

/// A run directory as a finished run leaves it.
void make_run_dir(const std::filesystem::path& dir) {
  std::filesystem::create_directories(dir);
  write(dir / "run.json",
        R"json({"state":"finished","exit_code":0,"step":20,"attempts":[{"reason":"done"}],"summary":{
            "results":{"test/f1":0.8055,"test/loss":null},"parameters":{"total":23353,"trainable":4340},
            "memory":{"estimated_bytes":1048576,"measured_bytes":2097152},"seconds":12.5,
            "time_split":{"compute":10.0},"version":"0.1.0 (abcdef0)"}})json");
  write(dir / "recipe.yaml",
        "name: cora <nc>\nseed: 7\nmethod: {name: sst, rank: 2}\noptim: {betas: [0.9, 0.999]}\ninit: {from: null}\n"
        "report: {metric: test/f1}\n");
  std::string lines;
  for (int step = 1; step <= 20; ++step)
    lines +=
        "{\"v\":1,\"kind\":\"train\",\"step\":" + std::to_string(step) + ",\"train/loss\":0.5,\"optim/lr\":0.02}\n";
  lines +=
      "{\"v\":1,\"kind\":\"eval\",\"step\":20,\"valid/f1\":0.79,\"valid/loss\":null,\"nonfinite\":[\"valid/loss\"]}\n";
  lines += "{\"v\":1,\"kind\":\"event\",\"step\":20,\"event\":\"saved\",\"method/svd_s\":0.1}\n{\"v\":1,\"ki";
  write(dir / "metrics.jsonl", lines);
}

}  // namespace

TEST_CASE("a run is read from what it left in its folder", "[run]") {
  const TemporaryFolder folder;
  make_run_dir(folder / "a");
  const RunRecord run = read_run(folder / "a");
  CHECK(run.state == "finished");
  CHECK(run.reason.empty());
  CHECK(run.seed == 7);
  CHECK(run.step == 20);
  CHECK(run.results.at("test/f1") == 0.8055);
  CHECK(std::isnan(run.results.at("test/loss")));
  CHECK(run.parameters_trainable == 4340);
  CHECK(run.measured_bytes == 2097152);
  CHECK(run.keys.at("method.rank") == "2");
  CHECK(run.keys.at("optim.betas") == "[0.9, 0.999]");
  CHECK(run.keys.count("init.from") == 0);
  CHECK(run.curves.at("train/loss").size() == 20);
  CHECK(std::isnan(run.curves.at("valid/loss").at(0).value));
  CHECK(run.curves.count("method/svd_s") == 0);
}

TEST_CASE("a run that broke is read as what it is, and never stops a report", "[run]") {
  const TemporaryFolder folder;
  CHECK(read_run(folder / "none").state == "missing");
  CHECK(read_run(folder / "none", "seed: 4\nmethod: {name: sst}\n").keys.at("method.name") == "sst");
  CHECK(read_run(folder / "none", "seed: 4\nmethod: {name: sst}\n").seed == 4);
  make_run_dir(folder / "a");
  write(folder / "a/run.json", R"({"state":"failed","exit_code":6,"step":3,"attempts":[{"reason":"loss is nan"}]})");
  CHECK(read_run(folder / "a").state == "diverged");
  CHECK(read_run(folder / "a").reason == "loss is nan");
  write(folder / "a/run.json", R"({"state":"failed","exit_code":5})");
  CHECK(read_run(folder / "a").state == "failed");
  write(folder / "a/run.json", "{\"sta");
  CHECK(read_run(folder / "a").state == "unreadable");
  CHECK(read_run(folder / "a").reason == "run.json is not JSON");
  write(folder / "a/run.json", R"({"state":"finished","summary":{"results":7,"parameters":[1]}})");
  CHECK(read_run(folder / "a").results.empty());
  write(folder / "a/recipe.yaml", "a: [1, 2");
  CHECK(read_run(folder / "a").state == "unreadable");
}

TEST_CASE("a run's report is written in every format, and its page needs nothing else", "[run]") {
  const TemporaryFolder folder;
  make_run_dir(folder / "a");
  TableSpec spec = made_spec();
  spec.formats = {"md", "html", "json", "csv", "tex"};
  const auto files = write_run_report(folder / "a", spec);
  REQUIRE(files.size() == 5);
  CHECK(files[1] == folder / "a/report.html");

  const std::string html = sst::read_file(files[1]);
  CHECK_FALSE(std::regex_search(html, std::regex("https?:|//[a-z]|<script|<link|@import|url\\(")));
  CHECK_THAT(html, ContainsSubstring("cora &lt;nc&gt;, seed 7"));
  CHECK_THAT(html, ContainsSubstring("80.55 %"));
  CHECK_THAT(html, ContainsSubstring("4,340"));

  const auto json = nlohmann::json::parse(sst::read_file(files[2]));
  CHECK(json["results"]["test/f1"] == 0.8055);
  CHECK(json["results"]["test/loss"].is_null());
  CHECK(json["recipe"]["method.name"] == "sst");
  CHECK(json["cells"][0]["paper"]["value"] == 77.5);
  CHECK(json["cells"][0]["mean"] == Approx(80.55));

  const std::string markdown = sst::read_file(files[0]);
  CHECK_THAT(markdown, ContainsSubstring("| sst | 2 | 80.55 (1) | 77.5 | +3.05 |"));
  CHECK_THAT(markdown, ContainsSubstring("| trainable parameters | 4,340 (19%) |"));

  spec.formats = {"pdf"};
  CHECK_THROWS_WITH(write_run_report(folder / "a", spec), "'report.formats' holds 'pdf'");
}

TEST_CASE("the end of a run is an aligned list of results and costs", "[run]") {
  RunRecord run = made_run("sst", "2", 1, 0.8055);
  run.time_split = {{"compute", 8.0}, {"saving", 0.0}, {"svd", 1.25}};
  CHECK(run_text(run) ==
        "  test f1 (%)            80.55\n"
        "  test loss (nat)        0.5000\n"
        "  state                  finished\n"
        "  steps                  500\n"
        "  parameters             20,000\n"
        "  trainable parameters   2,000 (10%)\n"
        "  memory, estimated      2.0 MiB\n"
        "  memory, measured peak  3.0 MiB\n"
        "  time                   10.0 s\n"
        "  of which               compute 8.0 s, svd 1.2 s\n"
        "  version                0.1.0 (abcdef0)\n"
        "  folder                 runs/sst2-s1\n");
}

TEST_CASE("the page of a translation run has the curves of its scores", "[run]") {
  RunRecord run = made_run("full", "", 1, 0.8);
  run.curves["valid/bleu"] = run.curves["valid/chrf"] = {{1, 10.0}, {2, 20.0}};
  const auto count = [&](const std::string& metric, const std::string& title) {
    const auto figures = run_figures(run, metric);
    return std::count_if(figures.front().charts.begin(), figures.front().charts.end(),
                         [&](const Chart& chart) { return chart.title + ": " + chart.y_label == title; });
  };
  for (const std::string metric : {"test/loss", "test/bleu"}) {
    CHECK(count(metric, "Validation BLEU: validation BLEU") == 1);
    CHECK(count(metric, "Validation chrF2: validation chrF2") == 1);
  }
}

TEST_CASE("a table's page shows every row, the states, and curves with ids of their own", "[run]") {
  const Table table = make_table("cora", made_runs(), made_spec());
  const std::string html = table_html(table);
  CHECK_THAT(html, ContainsSubstring("<td class=\"best\">81.50 ± 0.50 (3)</td>"));
  CHECK_THAT(html,
             ContainsSubstring("<td class=\"second\">77.50 ± 0.71 (2)<span class=\"note\">1 missing</span></td>"));
  CHECK_THAT(html, ContainsSubstring("<td class=\"bad\">2 failed</td>"));
  CHECK_THAT(html, ContainsSubstring("prefers-color-scheme: dark"));
  CHECK_THAT(html, ContainsSubstring("width=device-width"));
  CHECK_FALSE(std::regex_search(html, std::regex("https?:|//[a-z]|<script|<link|@import|url\\(")));
  if (!has_gnuplot()) return;
  std::set<std::string> ids;
  const std::regex id(" id=[\"']([^\"']*)[\"']");
  size_t count = 0;
  for (std::sregex_iterator match(html.begin(), html.end(), id), end; match != end; ++match, ++count)
    ids.insert((*match)[1]);
  CHECK(count > 3);
  CHECK(ids.size() == count);
}

TEST_CASE("without gnuplot a page says so and keeps its tables", "[run]") {
  const EmptyPath nothing_installed;
  const std::string html = table_html(make_table("cora", made_runs(), made_spec()));
  CHECK_THAT(html, ContainsSubstring("gnuplot was not found"));
  CHECK_THAT(html, !ContainsSubstring("<svg class=\"chart\""));
  CHECK_THAT(html, ContainsSubstring("81.50 ± 0.50 (3)"));
  CHECK_THAT(run_html(made_run("full", "", 1, 0.8), make_table("a", {made_run("full", "", 1, 0.8)}, {})),
             ContainsSubstring("gnuplot was not found"));
}

TEST_CASE("report.json of a table holds every raw value", "[run]") {
  const auto json = nlohmann::json::parse(table_json(make_table("cora", made_runs(), made_spec())));
  CHECK(json["runs"].size() == 11);
  CHECK(json["cells"].size() == 4);
  const auto& full = json["cells"][0];
  CHECK(full["keys"]["method.rank"] == "–");
  CHECK(full["unit"] == "%");
  CHECK(full["values"].size() == 3);
  CHECK(full["p"].is_null());
  CHECK(json["cells"][1]["mean"].is_null());
  CHECK(json["cells"][1]["not_counted"]["failed"] == 2);
  CHECK(json["runs"][6]["state"] == "diverged");
}

TEST_CASE("a chart follows the page's colours and can run nothing", "[run]") {
  if (!has_gnuplot()) return;
  const TemporaryFolder folder;
  const std::string bait = (folder / "never").string();
  Chart chart;
  chart.id = "c7";
  chart.title = "loss \"<b>\"";
  chart.x_label = "step '; system 'touch " + bait + "'";
  chart.y_label = "`touch " + bait + "` <script>";
  chart.lines = {{"it's & co", {{1, 1.0}, {2, std::nan("")}, {3, 0.5}, {4, 0.25}}, 3, false},
                 {"dot", {{2, 0.7}}, 1, false}};
  const auto svg = svg_chart(chart);
  REQUIRE(svg);
  CHECK(svg->rfind("<svg class=\"chart\" viewBox=", 0) == 0);
  CHECK_THAT(*svg, ContainsSubstring("style=\"stroke:var(--line-3)\""));
  CHECK_THAT(*svg, ContainsSubstring("currentColor"));
  CHECK_THAT(*svg, ContainsSubstring("it's &amp; co"));
  CHECK_THAT(*svg, ContainsSubstring("`touch " + bait + "` &lt;script"));
  CHECK_THAT(*svg, !ContainsSubstring("rgb("));
  CHECK_THAT(*svg, !ContainsSubstring("black"));
  CHECK_THAT(*svg, !ContainsSubstring("<?xml"));
  CHECK_FALSE(std::filesystem::exists(bait));
}

TEST_CASE("no points, no chart", "[run]") {
  Chart chart;
  chart.lines = {{"a", {}, 0, false}, {"b", {{1, std::nan("")}}, 0, false}};
  CHECK_FALSE(svg_chart(chart));
}

TEST_CASE("a gnuplot that hangs is stopped, and one that fails gives nothing", "[run]") {
  if (!has_gnuplot()) return;
  CHECK_FALSE(run_gnuplot("print 1\npause 60\n", 0.2));
  CHECK_FALSE(run_gnuplot("no such command\n"));
}

TEST_CASE("a thinned curve keeps its end, its level and its breaks", "[run]") {
  Curve curve;
  for (int64_t step = 1; step <= 1000; ++step) curve.push_back({step, step % 2 == 0 ? 1.0 : 3.0});
  const Curve thin = thinned(curve, 100);
  REQUIRE(thin.size() == 100);
  CHECK(thin.back().step == 1000);
  CHECK(thin.front().value == 2.0);
  curve[500].value = std::nan("");
  CHECK(std::isnan(thinned(curve, 100)[50].value));
  CHECK(thinned(thin, 200).size() == 100);
}

TEST_CASE("a mean curve ends where the first seed ends", "[run]") {
  const Curve mean = mean_curve({{{1, 1.0}, {2, 2.0}, {3, 9.0}}, {{1, 3.0}, {2, 4.0}}});
  REQUIRE(mean.size() == 2);
  CHECK(mean[1].step == 2);
  CHECK(mean[1].value == 3.0);
}
