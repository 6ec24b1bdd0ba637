#include "tasks/graph_task.hpp"

#include <cstdlib>

#include "core/text.hpp"
#include "data/graph_folder.hpp"
#include "data/graph_input.hpp"

namespace sst::tasks {

std::string data_root(const recipe::Recipe& recipe) {
  if (recipe.has("data_root")) return recipe.value<std::optional<recipe::Path>>("data_root")->text;
  const char* from_environment = std::getenv("SST_DATA_ROOT");
  return from_environment ? from_environment : "data";
}

GraphRecipe GraphRecipe::from(const recipe::Recipe& recipe) {
  return {.data = recipe.read<data::GraphDataOptions>("data"),
          .model = recipe.read<models::HybonetOptions>("model"),
          .loss = recipe.read<GraphLossOptions>("train"),
          .data_root = tasks::data_root(recipe)};
}

int64_t encoder_layers(const models::HybonetOptions& model, data::GraphTask task) {
  return task == data::GraphTask::kNodeClassification ? model.num_layers - 1 : model.num_layers;
}

GraphTask::GraphTask(const GraphRecipe& recipe, data::GraphTask task)
    : recipe_(recipe), task_(task), graph_(data::load_graph(recipe.data, recipe.data_root, task)) {}

Workload GraphTask::workload() const {
  return {.hidden_size = recipe_.model.hidden_size, .rows_per_step = graph_.nodes, .euclidean = false};
}

void GraphTask::build(const nn::Build& build) {
  tensors_ = build.tensors;
  const auto dtype = torch::typeMetaToScalarType(build.tensors.dtype());
  auto input = data::make_graph_input(graph_, recipe_.data, task_, message_edges(), dtype);
  const torch::Device device = build.tensors.device();
  if (!device.is_cpu()) {
    input.features = input.features.to(device);
    input.adjacency = std::make_shared<const tensor::CsrMatrix>(input.adjacency->to(device));
  }
  input_ = std::make_unique<data::GraphInput>(std::move(input));
  encoder_ = std::make_shared<models::HybonetEncoder>(recipe_.model, input_->features.cols(),
                                                      encoder_layers(recipe_.model, task_), build);
  model_ = std::make_shared<torch::nn::Module>("model");
  model_->register_module("encoder", encoder_);
  build_head(*model_, build);
}

torch::Tensor GraphTask::embed(const nn::Pass& pass) const {
  return encoder_->embed(input_->features, input_->adjacency, pass);
}

std::vector<std::pair<std::string, std::string>> GraphTask::facts() const {
  return {{"graph", graph_.name},
          {"nodes", with_thousands(graph_.nodes)},
          {"edges", with_thousands(static_cast<int64_t>(graph_.edges.size()))},
          {"features", with_thousands(graph_.feature_count)}};
}

double GraphTask::step_bytes(double gradients) const {
  if (!pass_ && tensors_.device().is_meta()) pass_ = measure_copy(*again(), tensors_);
  if (!pass_)
    pass_ = measure_pass([this] { return training_loss({.training = true, .compute = compute_}).sum; }, *model_,
                         tensors_.device().type());
  return pass_->at_once(gradients);
}

}  // namespace sst::tasks
