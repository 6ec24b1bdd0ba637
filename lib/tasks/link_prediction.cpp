#include "tasks/link_prediction.hpp"

#include <fmt/format.h>

#include <span>

#include "core/error.hpp"
#include "data/splits.hpp"
#include "metrics/ranking.hpp"
#include "nn/link_scores.hpp"

namespace sst::tasks {
namespace {

// Radius and temperature of HGCN's Fermi-Dirac decoder.
constexpr double kFermiRadius = 2, kFermiTemperature = 1;

template <class T>
metrics::RankingScores rank(const torch::Tensor& positive, const torch::Tensor& negative) {
  const auto span_of = [](const torch::Tensor& scores) {
    return std::span<const T>(scores.data_ptr<T>(), static_cast<size_t>(scores.numel()));
  };
  return metrics::ranking_scores(span_of(positive), span_of(negative));
}

}  // namespace

LinkPrediction::LinkPrediction(const GraphRecipe& recipe)
    : GraphTask(recipe, data::GraphTask::kLinkPrediction),
      split_(data::edge_split(graph_, recipe.data)),
      negatives_(std::make_unique<data::NegativeSampler>(graph_, split_)) {}

void LinkPrediction::build_head(torch::nn::Module&, const nn::Build& build) {
  device_ = build.tensors.device();
  train_ = data::pair_index(split_.train).to(device_);
  valid_ = data::pair_index(split_.valid).to(device_);
  test_ = data::pair_index(split_.test).to(device_);
  valid_negative_ = data::pair_index(split_.valid_negative).to(device_);
  test_negative_ = data::pair_index(split_.test_negative).to(device_);
}

nn::LossSum LinkPrediction::loss_of(const torch::Tensor& positive, const torch::Tensor& negative) const {
  if (recipe_.loss.loss == "fermi_dirac")
    return nn::link_cross_entropy_loss(nn::fermi_dirac(-positive, kFermiRadius, kFermiTemperature),
                                       nn::fermi_dirac(-negative, kFermiRadius, kFermiTemperature));
  return nn::link_margin_loss(positive, negative, recipe_.loss.margin);
}

nn::LossSum LinkPrediction::training_loss(const nn::Pass& pass) const {
  const torch::Tensor h = embed(pass);  // [nodes, dim]
  const torch::Tensor negatives =
      negatives_->draw(pass.seed, pass.step, train_.size(1)).to(device_);  // one step: one epoch
  return loss_of(nn::link_scores(h, train_), nn::link_scores(h, negatives));
}

Evaluated LinkPrediction::evaluate(const std::string& split, const nn::Pass& pass, const BetweenBatches& /*between*/) {
  require(split == "valid" || split == "test", "no split '" + split + "'");
  const torch::NoGradGuard no_grad;
  const bool valid = split == "valid";
  const torch::Tensor h = embed(pass);
  const torch::Tensor positive = nn::link_scores(h, valid ? valid_ : test_).to(torch::kCPU).contiguous();
  const torch::Tensor negative =
      nn::link_scores(h, valid ? valid_negative_ : test_negative_).to(torch::kCPU).contiguous();
  const nn::LossSum loss = loss_of(positive, negative);
  const auto scores =
      positive.scalar_type() == torch::kFloat64 ? rank<double>(positive, negative) : rank<float>(positive, negative);
  return {.metrics = {{"loss", loss.sum.item<double>() / loss.count},
                      {"roc_auc", scores.roc_auc},
                      {"average_precision", scores.average_precision},
                      {"auc_ap_mean", (scores.roc_auc + scores.average_precision) / 2}}};
}

std::vector<std::pair<std::string, std::string>> LinkPrediction::facts() const {
  auto lines = GraphTask::facts();
  lines.emplace_back("split", fmt::format("{} train, {} valid, {} test edges", split_.train.size(), split_.valid.size(),
                                          split_.test.size()));
  return lines;
}

}  // namespace sst::tasks
