#include "run/table_spec.hpp"

#include "core/file.hpp"
#include "recipe/load.hpp"
#include "recipe/report_options.hpp"
#include "run/recipe_schema.hpp"
#include "tasks/registry.hpp"

namespace sst::run {

report::TableSpec table_spec(const recipe::Recipe& recipe) {
  recipe::Diagnostics diagnostics;
  const auto plan = recipe::read_report(recipe, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  report::TableSpec spec;
  if (!plan.rows.empty()) spec.rows = plan.rows;
  spec.columns = plan.columns;
  spec.metrics = plan.metrics;
  if (plan.metrics.empty() && !recipe::is_collection(recipe))  // the runs of a list have their own
    spec.metrics = {"test/" + tasks::registry().at(recipe.value<std::string>("task")).metrics.front()};
  spec.best = plan.best.value_or("");
  spec.compare_to = plan.compare_to;
  spec.formats = plan.formats;
  spec.paper_table = plan.paper_table.value_or("");
  for (const auto& value : plan.paper_values)
    spec.paper.push_back({.keys = value.setting,
                          .value = value.value,
                          .sd = value.sd,
                          .seeds = value.seeds,
                          .note = value.note,
                          .metric = value.metric});
  return spec;
}

report::TableSpec table_spec_of(const std::filesystem::path& run_dir) {
  recipe::Diagnostics diagnostics;
  const auto path = run_dir / "recipe.yaml";
  const auto recipe = recipe::load_text(read_file(path), path.string(), {}, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return table_spec(recipe);
}

}  // namespace sst::run
