#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/graph.hpp"
#include "models/hybonet_gcn.hpp"
#include "recipe/recipe.hpp"
#include "tasks/kept_activations.hpp"
#include "tasks/task.hpp"

namespace sst::tasks {

/// `train` of the graph tasks.
struct GraphLossOptions {
  std::string loss = "margin";
  double margin = 2.0;
  bool full_batch = true;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(
        loss, "loss", one_of({"margin", "cross_entropy", "fermi_dirac"}),
        "margin: HyboNet's; cross_entropy: node classification; fermi_dirac: link prediction by a Fermi-Dirac decoder");
    field(margin, "margin", positive(), "by how much the right one has to win in the margin loss");
    field(full_batch, "full_batch", anything(), "one step sees the whole graph; graph tasks know nothing else");
  }
};

/// What both graph tasks are made of.
struct GraphRecipe {
  data::GraphDataOptions data;
  models::HybonetOptions model;
  GraphLossOptions loss;
  std::string data_root;

  static GraphRecipe from(const recipe::Recipe& recipe);
};

/// Layers of the encoder: node classification counts its head as the last of `model.num_layers`.
int64_t encoder_layers(const models::HybonetOptions& model, data::GraphTask task);

/// The folder data paths are relative to: the recipe's, else $SST_DATA_ROOT, else ./data.
std::string data_root(const recipe::Recipe& recipe);

/// A graph, its encoder and what is left to a particular task: one optimizer step sees the whole graph.
class GraphTask : public Task {
 public:
  Workload workload() const override;
  void build(const nn::Build& build) final;
  torch::nn::Module& model() override { return *model_; }
  std::vector<std::pair<std::string, std::string>> facts() const override;
  std::string data_sha256() const override { return graph_.sha256; }
  /// Of the pass over the whole graph, which is tried once.
  double step_bytes(double gradients) const override;
  void set_memory_budget(double /*bytes*/, const nn::Pass& pass) override { compute_ = pass.compute; }
  nn::LossSum loss(const nn::Pass& pass, int64_t /*part*/) final { return training_loss(pass); }

 protected:
  GraphTask(const GraphRecipe& recipe, data::GraphTask task);

  /// The edges messages travel along.
  virtual const std::vector<data::Edge>& message_edges() const = 0;
  /// Registers what the task adds to the encoder.
  virtual void build_head(torch::nn::Module& model, const nn::Build& build) = 0;

  virtual nn::LossSum training_loss(const nn::Pass& pass) const = 0;
  /// The same task, not built.
  virtual std::unique_ptr<GraphTask> again() const = 0;

  torch::Tensor embed(const nn::Pass& pass) const;

  GraphRecipe recipe_;
  data::GraphTask task_;
  data::Graph graph_;

 private:
  std::shared_ptr<torch::nn::Module> model_;
  std::shared_ptr<models::GraphEncoder> encoder_;
  std::unique_ptr<data::GraphInput> input_;
  torch::TensorOptions tensors_;
  std::optional<torch::ScalarType> compute_;
  mutable std::optional<PassBytes> pass_;
};

}  // namespace sst::tasks
