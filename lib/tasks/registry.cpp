#include "tasks/registry.hpp"

#include <algorithm>

#include "tasks/graph_checks.hpp"
#include "tasks/image_classification.hpp"
#include "tasks/language_modeling.hpp"
#include "tasks/link_prediction.hpp"
#include "tasks/node_classification.hpp"
#include "tasks/tokenizer_files.hpp"
#include "tasks/translation.hpp"

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
TaskEntry graph_entry(const std::string& doc, data::GraphTask task, std::vector<std::string> metrics) {
  return {.doc = doc,
          .metrics = std::move(metrics),
          .one_step_per_epoch = true,
          .space =
              [task](const recipe::Recipe&) {
                return Space{.is_lorentz = true, .has_points = task == data::GraphTask::kNodeClassification};
              },
          .describe =
              [](recipe::Schema& schema, const std::string& name) {
                const auto when = recipe::only_when("task", {name});
                schema.describe<data::GraphDataOptions>("data", when);
                schema.describe<GraphFamily>("model", when);
                schema.describe<models::HybonetOptions>("model", when);
                schema.describe<GraphLossOptions>("train", when);
              },
          .check = [task](const recipe::Recipe& recipe,
                          recipe::Diagnostics& diagnostics) { return check_graph_recipe(recipe, diagnostics, task); },
          .make = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
            return std::make_unique<T>(GraphRecipe::from(recipe));
          }};
}

TaskEntry language_entry() {
  return {
      .doc = "the next token of a text",
      .metrics = {"loss", "ppl_token", "ppl_word", "bits_per_byte"},
      .splits = {"valid"},
      .counts_tokens = true,
      .describe =
          [](recipe::Schema& schema, const std::string& name) {
            const auto when = recipe::only_when("task", {name});
            schema.describe<data::LanguageDataOptions>("data", when);
            schema.describe<text::TokenizerOptions>("tokenizer", when);
            schema.describe<models::LanguageModelOptions>("model", when);
            schema.describe<VocabularyOptions>("model", when);
            schema.describe<LanguageStepOptions>("train", when);
            schema.describe<LanguageEvalOptions>("eval", when);
          },
      .check = check_language_recipe,
      .kept_tokenizer = [](const recipe::Recipe& recipe) { return kept_tokenizer_name(recipe.text("tokenizer.type")); },
      .sketch = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
        const auto language = LanguageRecipe::from(recipe);
        return std::make_unique<LanguageModeling>(language, language.config_without_text());
      },
      .make = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
        return std::make_unique<LanguageModeling>(LanguageRecipe::from(recipe));
      }};
}

TaskEntry translation_entry() {
  return {.doc = "sentences of one language from those of another",
          .metrics = {"loss", "ppl_token", "accuracy", "bleu", "chrf"},
          .counts_tokens = true,
          .space =
              [](const recipe::Recipe& recipe) {
                const bool is_lorentz = recipe.text("model.geometry") == "lorentz";
                return Space{.is_lorentz = is_lorentz, .has_points = is_lorentz};
              },
          .describe =
              [](recipe::Schema& schema, const std::string& name) {
                const auto when = recipe::only_when("task", {name});
                schema.describe<data::TranslationDataOptions>("data", when);
                schema.describe<text::TokenizerOptions>("tokenizer", when);
                schema.describe<models::TranslationOptions>("model", when);
                schema.describe<TranslationStepOptions>("train", when);
                schema.describe<models::BeamOptions>("eval", when);
                schema.describe<metrics::TranslationScoring>("eval", when);
                schema.describe<TranslationEvalOptions>("eval", when);
              },
          .check = check_translation_recipe,
          .kept_tokenizer =
              [](const recipe::Recipe& recipe) {
                return kept_sentence_tokenizer(recipe.read<text::TokenizerOptions>("tokenizer"));
              },
          .make = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
            return std::make_unique<Translation>(TranslationRecipe::from(recipe));
          }};
}

TaskEntry image_entry() {
  return {.doc = "which class an image belongs to",
          .metrics = {"accuracy", "loss"},
          .splits = {"train_set", "valid", "test"},
          .describe =
              [](recipe::Schema& schema, const std::string& name) {
                const auto when = recipe::only_when("task", {name});
                schema.describe<data::ImageDataOptions>("data", when);
                schema.describe<models::MlpOptions>("model", when);
                schema.describe<ImageStepOptions>("train", when);
              },
          .check = check_image_recipe,
          .make = [](const recipe::Recipe& recipe) -> std::unique_ptr<Task> {
            return std::make_unique<ImageClassification>(ImageRecipe::from(recipe));
          }};
}

}  // namespace

const Registry<TaskEntry>& registry() {
  static const Registry<TaskEntry> tasks = [] {
    Registry<TaskEntry> list("task");
    list.add("translation", translation_entry());
    list.add("language_modeling", language_entry());
    list.add("image_classification", image_entry());
    list.add("node_classification", graph_entry<NodeClassification>("which class a node of a graph belongs to",
                                                                    data::GraphTask::kNodeClassification,
                                                                    {"f1", "accuracy", "f1_macro", "loss"}));
    list.add("link_prediction",
             graph_entry<LinkPrediction>("which pairs of nodes of a graph are linked", data::GraphTask::kLinkPrediction,
                                         {"auc_ap_mean", "roc_auc", "average_precision", "loss"}));
    return list;
  }();
  return tasks;
}

std::vector<std::string> all_metrics() {
  std::vector<std::string> names;
  for (const auto& [task, entry] : registry().entries())
    for (const std::string& metric : entry.metrics)
      if (std::find(names.begin(), names.end(), metric) == names.end()) names.push_back(metric);
  return names;
}

}  // namespace sst::tasks
