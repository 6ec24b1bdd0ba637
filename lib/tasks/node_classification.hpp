#pragma once

#include "nn/lorentz_classifier.hpp"
#include "tasks/graph_task.hpp"

namespace sst::tasks {

/// Node classification as HyboNet does it: embeddings, one point per class, a margin loss over all classes
/// (Chen et al. 2022; the published code decides the details).
class NodeClassification final : public GraphTask {
 public:
  explicit NodeClassification(const GraphRecipe& recipe);

  std::vector<std::string> lorentz_parameters() const override { return {"decoder.cls"}; }
  Evaluated evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) override;
  std::vector<std::pair<std::string, std::string>> facts() const override;

 private:
  struct Part {
    std::vector<int64_t> nodes, labels;
    torch::Tensor index, label_tensor;  ///< the same on the model's device, once it is built
  };

  const std::vector<data::Edge>& message_edges() const override { return graph_.edges; }
  void build_head(torch::nn::Module& model, const nn::Build& build) override;
  nn::LossSum training_loss(const nn::Pass& pass) const override;
  std::unique_ptr<GraphTask> again() const override { return std::make_unique<NodeClassification>(recipe_); }
  nn::LossSum loss_of(const torch::Tensor& logits, const Part& part) const;
  Part part_of(const std::vector<int64_t>& nodes) const;

  std::string overlap_;
  Part train_, valid_, test_;
  std::shared_ptr<nn::LorentzClassifier> classifier_;
};

}  // namespace sst::tasks
