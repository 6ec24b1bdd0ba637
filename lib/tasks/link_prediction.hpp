#pragma once

#include <memory>

#include "data/negative_sampler.hpp"
#include "tasks/graph_task.hpp"

namespace sst::tasks {

/// Link prediction as HyboNet does it: a pair's score is the negative squared Lorentz distance of its nodes, and every
/// training edge has to win against one negative pair drawn afresh each epoch (Chen et al. 2022).
class LinkPrediction final : public GraphTask {
 public:
  explicit LinkPrediction(const GraphRecipe& recipe);

  Evaluated evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& between) override;
  std::vector<std::pair<std::string, std::string>> facts() const override;

 private:
  const std::vector<data::Edge>& message_edges() const override { return split_.train; }
  void build_head(torch::nn::Module& model, const nn::Build& build) override;
  nn::LossSum training_loss(const nn::Pass& pass) const override;
  std::unique_ptr<GraphTask> again() const override { return std::make_unique<LinkPrediction>(recipe_); }
  nn::LossSum loss_of(const torch::Tensor& positive, const torch::Tensor& negative) const;

  data::EdgeSplit split_;
  std::unique_ptr<data::NegativeSampler> negatives_;
  torch::Device device_ = torch::kCPU;
  torch::Tensor train_, valid_, test_, valid_negative_, test_negative_;  ///< int64 [2, pairs]
};

}  // namespace sst::tasks
