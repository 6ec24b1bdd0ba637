#include "run/recipe_schema.hpp"

#include "methods/registry.hpp"
#include "optim/options.hpp"
#include "optim/schedule.hpp"
#include "recipe/sweep.hpp"
#include "run/options.hpp"
#include "run/precision.hpp"
#include "tasks/registry.hpp"

namespace sst::run {
namespace {

/// `method.name`, the choice the other keys of the section depend on.
struct MethodChoice {
  std::string name;

  template <class Field>
  void describe(Field& field) {
    field(name, "name", recipe::one_of(methods::registry().names()).required(), "how the linear maps are trained");
  }
};

recipe::Schema make_schema() {
  recipe::Schema schema;
  schema.describe<RunOptions>("");
  schema.describe<InitOptions>("init");
  schema.describe<NormalInitOptions>("init", recipe::only_when("init.scheme", {"normal"}));
  describe_precision(schema);
  for (const auto& [name, task] : tasks::registry().entries()) task.describe(schema, name);
  schema.describe<MethodChoice>("method");
  for (const auto& [name, method] : methods::registry().entries()) method.describe(schema, name);
  schema.describe<optim::OptimOptions>("optim");
  schema.describe<optim::ScheduleOptions>("schedule");
  schema.describe<TrainOptions>("train");
  schema.describe<EvalOptions>("eval");
  schema.describe<CheckpointOptions>("checkpoint");
  schema.describe<LoggingOptions>("logging");
  schema.describe<RuntimeOptions>("runtime");
  schema.describe<DistributedOptions>("distributed");
  recipe::describe_sweep_and_report(schema);

  schema.section_doc("init", "where the weights start");
  schema.section_doc("precision",
                     "number types: a preset (fp32, tf32, fp64, bf16_mixed, bf16_pure) or the mapping it stands for");
  schema.section_doc("data", "what is learnt from");
  schema.section_doc("tokenizer", "how text becomes ids and ids become text");
  schema.section_doc("model", "the architecture; it never knows which method trains it");
  schema.section_doc("method", "how the linear maps of the model are parametrised and trained");
  schema.section_doc("optim", "the update rule; lr is the peak rate that is really applied");
  schema.section_doc("schedule", "the shape of the learning rate over the steps");
  schema.section_doc("train", "what is minimised, and when training ends; at least one stop condition");
  schema.section_doc("eval", "what is measured during and after training");
  schema.section_doc("checkpoint", "what is saved, and which of it is best");
  schema.section_doc("logging", "what is written while training");
  schema.section_doc("runtime", "the machine; decides nothing in the result but its speed");
  schema.section_doc("distributed", "several processes that train one model together");
  schema.section_doc("sweep", "several settings of one recipe, and seeds for each");
  schema.section_doc("report", "how the table over several runs is laid out");
  return schema;
}

}  // namespace

const recipe::Schema& recipe_schema() {
  static const recipe::Schema schema = make_schema();
  return schema;
}

}  // namespace sst::run
