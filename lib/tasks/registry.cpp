#include "tasks/registry.hpp"

#include "tasks/link_prediction.hpp"
#include "tasks/node_classification.hpp"

namespace sst::tasks {
namespace {

/// `model.family` of the graph tasks.
struct GraphFamily {
  std::string family = "hybonet_gcn";

  template <class Field>
  void describe(Field& field) {
    field(family, "family", recipe::one_of({"hybonet_gcn"}), "the architecture");
  }
};

template <class T>
TaskEntry graph_entry(const std::string& doc, std::vector<std::string> metrics, bool has_points) {
  return {.doc = doc,
          .metrics = std::move(metrics),
          .has_points = has_points,
          .describe =
              [](recipe::Schema& schema, const std::string& name) {
                const auto when = recipe::only_when("task", {name});
                schema.describe<data::GraphDataOptions>("data", when);
                schema.describe<GraphFamily>("model", when);
                schema.describe<models::HybonetOptions>("model", when);
                schema.describe<GraphLossOptions>("train", when);
              },
          .make = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
            return std::make_unique<T>(GraphRecipe::from(recipe));
          }};
}

}  // namespace

const Registry<TaskEntry>& registry() {
  static const Registry<TaskEntry> tasks = [] {
    Registry<TaskEntry> list("task");
    list.add("node_classification",
             graph_entry<NodeClassification>("which class a node of a graph belongs to",
                                             {"f1", "accuracy", "f1_macro", "loss"}, /*has_points=*/true));
    list.add("link_prediction", graph_entry<LinkPrediction>("which pairs of nodes of a graph are linked",
                                                            {"auc_ap_mean", "roc_auc", "average_precision", "loss"},
                                                            /*has_points=*/false));
    return list;
  }();
  return tasks;
}

}  // namespace sst::tasks
