#include "tasks/node_classification.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "data/splits.hpp"
#include "metrics/classification.hpp"

namespace sst::tasks {

NodeClassification::NodeClassification(const GraphRecipe& recipe)
    : GraphTask(recipe, data::GraphTask::kNodeClassification) {
  const data::NodeSplit split = data::node_split(graph_, recipe.data);
  overlap_ = data::overlap_text(data::overlap_of(split));
  train_ = part_of(split.train);
  valid_ = part_of(split.valid);
  test_ = part_of(split.test);
}

NodeClassification::Part NodeClassification::part_of(const std::vector<int64_t>& nodes) const {
  Part part{.nodes = nodes, .labels = {}, .index = {}, .label_tensor = {}};
  for (const int64_t node : nodes) part.labels.push_back(graph_.labels.at(static_cast<size_t>(node)));
  return part;
}

void NodeClassification::build_head(torch::nn::Module& model, const nn::Build& build) {
  classifier_ = std::make_shared<nn::LorentzClassifier>(graph_.classes, recipe_.model.hidden_size, build, "decoder");
  model.register_module("decoder", classifier_);
  for (Part* part : {&train_, &valid_, &test_}) {
    part->index = torch::tensor(part->nodes, torch::kInt64).to(build.tensors.device());
    part->label_tensor = torch::tensor(part->labels, torch::kInt64).to(build.tensors.device());
  }
}

nn::LossSum NodeClassification::loss_of(const torch::Tensor& logits, const Part& part) const {
  return recipe_.loss.loss == "cross_entropy" ? nn::cross_entropy_loss(logits, part.label_tensor)
                                              : nn::margin_loss(logits, part.label_tensor, recipe_.loss.margin);
}

nn::LossSum NodeClassification::training_loss(const nn::Pass& pass) const {
  const torch::Tensor h = embed(pass).index_select(0, train_.index);  // [train nodes, dim]
  return loss_of(classifier_->forward(h), train_);
}

Evaluated NodeClassification::evaluate(const std::string& split, const nn::Pass& pass,
                                       const BetweenBatches& /*between*/) {
  require(split == "valid" || split == "test", "no split '" + split + "'");
  const torch::NoGradGuard no_grad;
  const Part& part = split == "valid" ? valid_ : test_;
  const torch::Tensor logits = classifier_->forward(embed(pass).index_select(0, part.index));  // [part nodes, classes]
  const nn::LossSum loss = loss_of(logits, part);
  const torch::Tensor predicted = logits.argmax(1).to(torch::kCPU).contiguous();
  const auto scores = metrics::classification_scores(
      {predicted.data_ptr<int64_t>(), static_cast<size_t>(predicted.numel())}, part.labels, graph_.classes);
  return {.metrics = {{"loss", loss.sum.item<double>() / loss.count},
                      {"accuracy", scores.accuracy},
                      {"f1", scores.f1},
                      {"f1_macro", scores.f1_macro}}};
}

std::vector<std::pair<std::string, std::string>> NodeClassification::facts() const {
  auto lines = GraphTask::facts();
  lines.emplace_back("classes", std::to_string(graph_.classes));
  lines.emplace_back("split", fmt::format("{} train, {} valid, {} test ({})", train_.nodes.size(), valid_.nodes.size(),
                                          test_.nodes.size(), overlap_));
  return lines;
}

}  // namespace sst::tasks
