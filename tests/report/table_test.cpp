#include "report/table.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/text.hpp"
#include "report/table_grid.hpp"
#include "tests/report/made_runs.hpp"
#include "tests/support/catch.hpp"

using namespace sst::report;
using sst::testing::made_run;
using sst::testing::made_runs;
using sst::testing::made_spec;

TEST_CASE("every point of a sweep is in the table, whatever became of it", "[run]") {
  CHECK(text_table(result_grid(make_table("cora", made_runs(), made_spec()), /*with_costs=*/true), false) ==
        "method.name  method.rank                     test f1 (%)        paper  difference          p      trainable  "
        "memory est.   memory    time\n"
        "───────────  ───────────  ──────────────────────────────  ───────────  ──────────  ─────────  ─────────────  "
        "───────────  ───────  ──────\n"
        "full         –            81.50 ± 0.50 (3) *              81.13 ± 0.2       +0.37  reference  20,000 (100%)  "
        "    2.0 MiB  3.0 MiB  10.0 s\n"
        "lora         2                    2 failed                                                      2,000 (10%)  "
        "    2.0 MiB  3.0 MiB\n"
        "lora         10           72.00 ± 2.83 (2)    1 diverged                               0.126   10,000 (50%)  "
        "    2.0 MiB  3.0 MiB  10.0 s\n"
        "sst          2            77.50 ± 0.71 (2) +  1 missing          77.5        0.00      0.031    2,000 (10%)  "
        "    2.0 MiB  3.0 MiB  10.0 s\n");
}

TEST_CASE("mean, deviation and test are those of the finished seeds", "[run]") {
  const Table table = make_table("cora", made_runs(), made_spec());
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[2] == std::vector<std::string>{"lora", "10"});  // 10 after 2: by size
  const TableCell& lora = *table.cells[2][0];
  CHECK(lora.runs.size() == 3);
  CHECK(lora.values == std::vector<double>{70, 74});
  CHECK(*lora.mean == Approx(72));
  CHECK(*lora.sd == Approx(std::sqrt(8.0)));
  CHECK(lora.not_counted == std::map<std::string, int>{{"diverged", 1}});
  CHECK(*lora.p == Approx(0.12596963413821308));  // scipy 1.17 ttest_ind([70, 74], [81, 81.5, 82], equal_var=False)
  CHECK(table.cells[0][0]->is_reference);
  CHECK_FALSE(table.cells[1][0]->mean);
  CHECK(*table.cells[3][0]->difference == Approx(0).margin(1e-12));
}

TEST_CASE("a run that is not counted is explained under the table", "[run]") {
  const auto notes = footnotes(make_table("cora", made_runs(), made_spec()));
  const auto has = [&](const std::string& note) { return std::find(notes.begin(), notes.end(), note) != notes.end(); };
  CHECK(has("Not counted: lora, rank 10, seed 2: diverged at step 1,234, loss is nan (runs/lora10-s2)."));
  CHECK(has("Missing, 1 of 11 runs: sst, rank 2, seed 3."));
  CHECK(has("Paper: SST, Table 5; difference = ours − paper."));
  CHECK(has("p: two-sided Welch t-test over seeds against method.name=full."));
  CHECK(has("Made by 0.1.0 (abcdef0)."));
}

TEST_CASE("scores of translations stand with their signatures, and different ones are told", "[run]") {
  CHECK(metric_label("test/bleu") == "test BLEU");
  CHECK(metric_label("valid/ema_0.999/ppl_token") == "valid ema_0.999 perplexity per token");
  auto runs = std::vector<RunRecord>{made_run("full", "", 1, 0.8), made_run("full", "", 2, 0.8)};
  for (auto& run : runs) run.signatures = {{"test/bleu", "tok:13a"}, {"valid/bleu", "tok:13a"}};
  const auto notes_of = [](const std::vector<RunRecord>& all) {
    const auto notes = footnotes(make_table("t", all, {}));
    return sst::join(notes, "\n");
  };
  CHECK_THAT(notes_of(runs), ContainsSubstring("\nBLEU: tok:13a.\n"));
  runs[1].signatures["test/bleu"] = "tok:intl";
  CHECK_THAT(notes_of(runs),
             ContainsSubstring("BLEU has several signatures, which do not compare: tok:13a; tok:intl."));
}

TEST_CASE("a finished run without the metric, or with one that is not finite, does not vanish", "[run]") {
  std::vector<RunRecord> runs = {made_run("full", "", 1, 0.8), made_run("full", "", 2, std::nan(""))};
  runs.push_back(made_run("full", "", 3, 0.8));
  runs[2].results.erase("test/f1");
  const Table table = make_table("t", runs, made_spec());
  const GridCell cell = result_cell(table.cells[0][0], "test/f1");
  CHECK(cell.text == "80.00 (1)");
  CHECK(cell.note == "1 not finite, 1 without test/f1");
}

TEST_CASE("of a loss the smallest is best, unless the recipe says otherwise", "[run]") {
  std::vector<RunRecord> runs = {made_run("full", "", 1, 0.8), made_run("sst", "2", 1, 0.8)};
  runs[0].results["test/loss"] = 0.4;
  TableSpec spec = made_spec();
  spec.metrics = {"test/loss"};
  CHECK(make_table("t", runs, spec).cells[0][0]->is_best);
  spec.best = "max";
  CHECK(make_table("t", runs, spec).cells[1][0]->is_best);
  spec.best = "most";
  CHECK_THROWS_AS(make_table("t", runs, spec), sst::UserError);
}

TEST_CASE("equal means share the first place, and a single cell has no rank", "[run]") {
  const Table tie = make_table("t", {made_run("a", "", 1, 0.8), made_run("b", "", 1, 0.8), made_run("c", "", 1, 0.7)},
                               {.rows = {"method.name"}});
  CHECK(tie.cells[0][0]->is_best);
  CHECK(tie.cells[1][0]->is_best);
  CHECK(tie.cells[2][0]->is_second);
  CHECK_FALSE(make_table("t", {made_run("a", "", 1, 0.8)}, {}).cells[0][0]->is_best);
}

TEST_CASE("runs that differ in more than the seed are named", "[run]") {
  std::vector<RunRecord> runs = {made_run("sst", "2", 1, 0.8), made_run("sst", "2", 2, 0.7)};
  runs[0].keys["optim.lr"] = "0.01";
  runs[1].keys["optim.lr"] = "1e-2";  // the same number
  runs[1].keys["logging.every"] = "7";
  CHECK(make_table("t", runs, made_spec()).notes.empty());
  runs[1].keys["optim.lr"] = "0.02";
  CHECK(make_table("t", runs, made_spec()).notes ==
        std::vector<std::string>{"The runs of sst, rank 2 differ in more than their seed: optim.lr."});
}

TEST_CASE("a run given twice counts once", "[run]") {
  const Table table = make_table("t", {made_run("sst", "2", 1, 0.8), made_run("sst", "2", 1, 0.8)}, made_spec());
  CHECK(table.cells[0][0]->values.size() == 1);
}

TEST_CASE("columns stand side by side with the paper's line below, and their costs in a table of their own", "[run]") {
  std::vector<RunRecord> runs;
  for (const char* width : {"64", "128"}) {
    for (const auto& [method, f1] : {std::pair{"full", 0.8}, {"sst", 0.7}}) {
      runs.push_back(made_run(method, "", 1, f1 + (width[0] == '1' ? 0.05 : 0.0)));
      runs.back().keys["model.hidden_size"] = width;
      runs.back().path += width;
    }
  }
  runs.pop_back();  // sst at 128 was never asked for
  TableSpec spec = {.columns = {"model.hidden_size"}};
  spec.paper = {{{{"method.name", "full"}, {"model.hidden_size", "64"}}, 79.5, {}}};
  const Table table = make_table("t", runs, spec);
  CHECK(text_table(result_grid(table, false), false) ==
        "method.name              64        128\n"
        "───────────  ──────────────  ─────────\n"
        "full            80.00 (1) *  85.00 (1)\n"
        "paper        79.5 (+0.50)\n"
        "sst             70.00 (1) +          –\n");
  CHECK(cost_grid(table).body.size() == 3);
  CHECK(cost_grid(table).head ==
        std::vector<std::string>{"method.name", "model.hidden_size", "trainable", "memory est.", "memory", "time"});
}

TEST_CASE("runs of different metrics get a column for each", "[run]") {
  std::vector<RunRecord> runs = {made_run("full", "", 1, 0.8), made_run("full", "", 2, 0.8)};
  for (auto& run : runs) run.keys["data.dataset"] = "cora";
  runs[1].keys["report.metric"] = "test/average_precision";
  runs[1].results = {{"test/average_precision", 0.9462}};
  const Table table = make_table("t", runs, {.columns = {"data.dataset"}});
  CHECK(result_grid(table, false).head ==
        std::vector<std::string>{"method.name", "cora · test average_precision (%)", "cora · test f1 (%)"});
  CHECK(table.cells[0][0]->values.at(0) == Approx(94.62));
}

TEST_CASE("a printed value without a run is a missing cell when the whole printed table is asked for", "[run]") {
  TableSpec spec = made_spec();
  CHECK(make_table("t", {made_run("full", "", 1, 0.8)}, spec).rows.size() == 1);
  spec.show_all_of_paper = true;
  const Table table = make_table("t", {made_run("full", "", 1, 0.8)}, spec);
  REQUIRE(table.rows.size() == 2);
  CHECK(result_cell(table.cells[1][0], "test/f1").text == "missing");
  CHECK(table.cells[1][0]->paper->value == 77.5);
}

TEST_CASE("a table without any metric says how to name one", "[run]") {
  RunRecord run = made_run("full", "", 1, 0.8);
  run.keys.erase("report.metric");
  CHECK_THROWS_WITH(make_table("t", {run}, {}), "no metric to report for runs/full-s1");
}

TEST_CASE("Markdown and LaTeX carry the same cells, marked up and escaped", "[run]") {
  const Grid grid = {
      {"a_b", "f1 (%)"}, {{{"x|y"}, {"1 ± 2", Emphasis::kBest, "1 failed"}}, {{"<z>"}, {"3", Emphasis::kSecond}}}, 1};
  CHECK(markdown_table(grid) ==
        "| a\\_b | f1 (%) |\n| --- | ---: |\n| x\\|y | **1 ± 2**, 1 failed |\n| &lt;z&gt; | <u>3</u> |\n");
  CHECK(latex_table(grid) ==
        "\\begin{tabular}{lr}\n\\hline\na\\_b & f1 (\\%) \\\\\n\\hline\nx|y & \\textbf{1 $\\pm$ 2}, 1 failed \\\\\n"
        "$<$z$>$ & \\underline{3} \\\\\n\\hline\n\\end{tabular}\n");
}

TEST_CASE("CSV has a line per cell with plain numbers", "[run]") {
  const auto lines = sst::split(csv_table(make_table("cora", made_runs(), made_spec())), '\n');
  REQUIRE(lines.size() == 6);
  CHECK(lines[0] ==
        "method.name,method.rank,metric,unit,mean,sd,n,not_counted,paper,paper_sd,difference,p,parameters_trainable,"
        "parameters_total,estimated_bytes,measured_bytes,seconds");
  CHECK(lines[2] == "lora,2,test/f1,%,,,0,2 failed,,,,,2000,20000,2097152,3145728,0");
}

TEST_CASE("costs go below the results where the terminal is narrow", "[run]") {
  const Table table = make_table("cora", made_runs(), made_spec());
  const std::string wide = text_report(table, false, 200), narrow = text_report(table, false, 100);
  CHECK_THAT(sst::split(wide, '\n')[0], ContainsSubstring("trainable"));
  CHECK_THAT(sst::split(narrow, '\n')[0], !ContainsSubstring("trainable"));
  CHECK_THAT(narrow, ContainsSubstring("trainable"));
  CHECK_THAT(narrow, ContainsSubstring("Best of a column *, runner-up +."));
}

TEST_CASE("a table of several metrics has a column for each, and says means and how often the reference is reached",
          "[run]") {
  std::vector<RunRecord> runs;
  for (const char* model : {"small", "large"})
    for (const char* method : {"full", "sst"}) {
      RunRecord run = made_run(method, "", 1, 0.5);
      run.path += model;
      run.keys["model.preset"] = model;
      const bool is_full = run.keys["method.name"] == "full";
      run.results = {{"zero_shot/boolq", is_full ? 0.6 : 0.7}, {"zero_shot/cb", is_full ? 0.5 : 0.4}};
      runs.push_back(std::move(run));
    }
  TableSpec spec;
  spec.rows = {"model.preset", "method.name"};
  spec.metrics = {"zero_shot/boolq", "zero_shot/cb"};
  spec.compare_to = {{"method.name", "full"}};
  spec.paper = {{.keys = {{"model.preset", "small"}, {"method.name", "sst"}}, .value = 62, .metric = "zero_shot/boolq"},
                {.keys = {{"model.preset", "large"}, {"method.name", "sst"}}, .value = 0, .note = "NaN loss"}};
  const Table table = make_table("t", runs, spec);
  REQUIRE(table.columns.size() == 2);
  REQUIRE(table.rows.size() == 4);  // large full, large sst, small full, small sst
  CHECK(*table.cells[3][0]->difference == Approx(8));
  CHECK_FALSE(table.cells[3][1]->paper.has_value());
  CHECK_FALSE(table.cells[1][0]->difference.has_value());  // a value with a note is not compared with
  CHECK_THAT(markdown_table(result_grid(table, false)), ContainsSubstring("0, NaN loss"));
  const auto notes = footnotes(table);
  CHECK(std::find(notes.begin(), notes.end(),
                  "small, name sst: mean over 2 columns 55.00, at the reference or better in 1 of 2 (50.0 %).") !=
        notes.end());
}

TEST_CASE("hours and memory are results of a run that a table can show", "[run]") {
  RunRecord run = made_run("sst", "2", 1, 0.8);
  run.time_split = {{"compute", 3600}, {"svd", 1800}, {"evaluation", 99}};
  run.state_bytes = 5.0 * (1 << 20);
  CHECK(result_of(run, "run/hours") == 1.5);
  CHECK(result_of(run, "run/svd_hours") == 0.5);
  run.decomposition_bytes = 3.0 * (1 << 20);
  CHECK(result_of(run, "run/state_mib") == 5);
  CHECK(result_of(run, "run/svd_mib") == 3);
  CHECK(result_of(run, "test/f1") == 0.8);
  CHECK_FALSE(result_of(run, "run/nothing").has_value());
}
