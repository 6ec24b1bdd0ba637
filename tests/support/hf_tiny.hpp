#pragma once

#include <torch/types.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/hf_folder.hpp"
#include "models/registry.hpp"
#include "nn/loss.hpp"
#include "tests/support/shared_files.hpp"

namespace sst::testing {

/// The reference models of the shared folder; each covers what its name says.
inline const std::vector<std::string> kTinyModels = {"opt_prenorm", "opt_postnorm_proj", "gpt2", "llama",
                                                     "llama_gqa_tied"};

inline torch::Tensor to_ids(const nlohmann::json& rows) {
  std::vector<int64_t> ids;
  for (const auto& row : rows)
    for (const auto& id : row) ids.push_back(id.get<int64_t>());
  return torch::tensor(ids).view({static_cast<int64_t>(rows.size()), -1});
}

/// One reference model in memory, and what transformers computes from it.
struct TinyModel {
  std::filesystem::path folder;
  nlohmann::json reference;
  std::shared_ptr<models::LanguageModel> model;

  /// Nothing where the shared folder is absent.
  static std::optional<TinyModel> load(const std::string& name, torch::ScalarType dtype = torch::kFloat32) {
    const auto folder = shared_file("spec/hf_tiny/" + name);
    if (!folder) return std::nullopt;
    const models::HfModel read = models::import_hf(*folder);
    TinyModel tiny{*folder, nlohmann::json::parse(std::ifstream(*folder / "reference.json")), nullptr};
    tiny.model = models::make_language_model(read.config, {.tensors = dtype});
    nn::load_dense_tensors(*tiny.model, read.tensors);
    return tiny;
  }

  const nlohmann::json& named(const std::string& name) const {
    for (const auto& entry : reference.at("cases"))
      if (entry.at("name") == name) return entry;
    throw std::runtime_error("no case " + name);
  }

  /// Mean over the targets of a case: position t predicts token t + 1; -100 is no target.
  torch::Tensor loss(const nlohmann::json& entry, const nn::Pass& pass = {}) const {
    const torch::Tensor h = model->hidden(to_ids(entry.at("input_ids")), pass);
    const torch::Tensor targets = to_ids(entry.at("labels")).slice(1, 1).flatten();
    const torch::Tensor counted = (targets >= 0).nonzero().flatten();
    const torch::Tensor logits = model->logits(h.slice(1, 0, -1).flatten(0, 1).index_select(0, counted), pass);
    const auto sum =
        nn::cross_entropy_loss(pass.compute ? logits.to(torch::kFloat32) : logits, targets.index_select(0, counted));
    return sum.sum / sum.count;
  }
};

}  // namespace sst::testing
