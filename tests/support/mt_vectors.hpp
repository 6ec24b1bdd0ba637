#pragma once

#include <torch/types.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/shared_files.hpp"

namespace sst::testing {

/// The tolerances that hybonet_mt_vectors.json was written for, in float64: of single layers and of whole models.
constexpr double kLayerRelative = 1e-9, kLayerAbsolute = 1e-10, kModelTolerance = 1e-7;

/// hybonet_mt_vectors.json, or nothing where the shared folder is absent (one line says so).
inline const nlohmann::json* mt_vectors() {
  const auto path = shared_file("spec/hybonet_mt_vectors.json");
  if (!path) return nullptr;
  static const nlohmann::json file = nlohmann::json::parse(std::ifstream(*path));
  return &file;
}

/// {"dtype", "shape", "data"} as a tensor; floats in float64.
inline torch::Tensor mt_tensor(const nlohmann::json& value) {
  const auto shape = value.at("shape").get<std::vector<int64_t>>();
  const bool floats = value.at("dtype").get<std::string>().find("float") == 0;
  if (!floats) return torch::tensor(value.at("data").get<std::vector<int64_t>>(), torch::kInt64).view(shape);
  return torch::tensor(value.at("data").get<std::vector<double>>(), torch::kFloat64).view(shape);
}

inline bool close(const torch::Tensor& ours, const torch::Tensor& reference, double relative = kLayerRelative,
                  double absolute = kLayerAbsolute) {
  return ours.sizes() == reference.sizes() &&
         torch::allclose(ours.detach().to(torch::kFloat64), reference, relative, absolute);
}

/// The name that a tensor of the reference has here.
inline std::string mt_name(std::string name) {
  const std::vector<std::pair<std::string, std::string>> words{
      {"embeddings.make_embedding.emb_luts.0.weight", "embed.words.weight"},
      {"embeddings.embedding", "embed.words.weight"},
      {"embeddings.pe.pe", "embed.positions.weight"},
      {"embeddings.pe.point", "embed.linear"},
      {"transformer_layers.", "layers."},
      {"transformer.", "layers."},
      {"linear_keys", "k_proj"},
      {"linear_values", "v_proj"},
      {"linear_query", "q_proj"},
      {"final_linear", "out_proj"},
      {"context_attn", "cross_attn"},
      {"feed_forward.w_1", "ffn.fc1"},
      {"feed_forward.w_2", "ffn.fc2"},
      {"feed_forward.layer_norm", "ffn.norm"},
      {"feed_forward.residual", "ffn.fc2"},
      {"residual_1", "self_attn.out_proj"},
      {"residual_2", "cross_attn.out_proj"},
      {"residual", "self_attn.out_proj"},
      {"layer_norm_1", "self_attn.norm"},
      {"layer_norm_2", "cross_attn.norm"},
      {"encoder.layer_norm", "encoder.norm"},
      {"decoder.layer_norm", "decoder.norm"},
      {"layer_norm", "self_attn.norm"},
      {"decoder.dist_bias", "generator.bias"},
      {"decoder.decision", "generator.cls"},
      {"generator.0.", "generator.proj."}};
  for (const auto& [theirs, ours] : words)
    if (const size_t at = name.find(theirs); at != std::string::npos) name.replace(at, theirs.size(), ours);
  return name;
}

/// Tensors of the reference by the names they have here; position tables lose their middle dimension.
inline std::map<std::string, torch::Tensor> mt_tensors(const nlohmann::json& object) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, value] : object.items()) {
    const torch::Tensor tensor = mt_tensor(value);
    tensors[mt_name(name)] = tensor.dim() == 3 ? tensor.squeeze(1) : tensor;
  }
  return tensors;
}

}  // namespace sst::testing
