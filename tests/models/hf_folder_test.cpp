#include "models/hf_folder.hpp"

#include <cstdlib>
#include <fstream>

#include "core/file.hpp"
#include "methods/sst.hpp"
#include "models/registry.hpp"
#include "tensor/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hf_tiny.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::models {
namespace {

using testing::kTinyModels;
using testing::TemporaryFolder;
using testing::TinyModel;
using torch::Tensor;

LanguageModelConfig tiny_config(const std::string& family) {
  LanguageModelOptions options;
  options.family = family;
  options.hidden_size = 8;
  options.num_layers = 1;
  options.num_heads = 2;
  options.max_positions = 6;
  return resolved(options, 10);
}

void check_same(const tensor::NamedTensors& actual, const tensor::NamedTensors& expected) {
  REQUIRE(actual.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    CAPTURE(name);
    CHECK(torch::equal(actual.at(name), tensor));
  }
}

/// Writes a small model of the family, lets `spoil` change the folder, and reads it back.
template <class Spoil>
HfModel spoilt(const TemporaryFolder& folder, const std::string& family, const Spoil& spoil) {
  const auto model = make_language_model(tiny_config(family), {});
  export_hf(*model, folder / "model");
  auto tensors = tensor::read_safetensors(folder / "model/model.safetensors").tensors;
  auto config = nlohmann::json::parse(read_file(folder / "model/config.json"));
  spoil(tensors, config);
  tensor::write_safetensors(folder / "model/model.safetensors", tensors);
  std::ofstream(folder / "model/config.json") << config.dump();
  return import_hf(folder / "model");
}

}  // namespace

TEST_CASE("a reference folder survives import, export and import", "[models]") {
  const auto tiny = TinyModel::load(GENERATE(from_range(kTinyModels)));
  if (!tiny) return;
  CAPTURE(tiny->folder.string());
  const uint64_t shard_bytes = GENERATE(uint64_t{1} << 30, uint64_t{20000});
  const TemporaryFolder folder;
  export_hf(*tiny->model, folder / "out", {.max_shard_bytes = shard_bytes});
  CHECK(std::filesystem::exists(folder / "out/model.safetensors.index.json") == (shard_bytes == 20000));
  const HfModel before = import_hf(tiny->folder), after = import_hf(folder / "out");
  CHECK(after.config == before.config);
  check_same(after.tensors, before.tensors);
  if (shard_bytes != 20000) {
    check_same(tensor::read_safetensors(folder / "out/model.safetensors").tensors,
               tensor::read_safetensors(tiny->folder / "model.safetensors").tensors);
  }
}

TEST_CASE("an exported config says everything twice that versions read under two names", "[models]") {
  const TemporaryFolder folder;
  LanguageModelConfig config = tiny_config("llama");
  config.rope_theta = 500000;
  export_hf(*make_language_model(config, {}), folder / "out", {.dtype = torch::kBFloat16});
  const auto json = nlohmann::json::parse(read_file(folder / "out/config.json"));
  CHECK((json.at("torch_dtype") == "bfloat16" && json.at("dtype") == "bfloat16"));
  CHECK((json.at("rope_theta") == 500000 && json.at("rope_parameters").at("rope_theta") == 500000));
  CHECK(json.at("tie_word_embeddings") == false);
  CHECK(import_hf(folder / "out").tensors.at("lm_head.weight").scalar_type() == torch::kBFloat16);
}

TEST_CASE("a method's maps are exported as the matrices they stand for", "[models]") {
  const TemporaryFolder folder;
  methods::SstOptions options;
  options.rank = 2;
  methods::Sst sst(options, {.hidden_size = 8, .rows_per_step = 12});
  const auto model = make_language_model(tiny_config("gpt2"),
                                         {.linear = [&](const nn::LinearSpec& spec) { return sst.make_linear(spec); }});
  export_hf(*model, folder / "out");
  const HfModel read = import_hf(folder / "out");
  const auto dense = make_language_model(read.config, {});
  nn::load_dense_tensors(*dense, read.tensors);
  const Tensor ids = torch::arange(6).view({1, 6});
  CHECK(torch::allclose(dense->hidden(ids, {}), model->hidden(ids, {}), 1e-4, 1e-5));
}

TEST_CASE("a GPT-2 without biases and with a padded vocabulary is exported as Hugging Face knows it", "[models]") {
  const TemporaryFolder folder;
  LanguageModelConfig config = tiny_config("gpt2");
  config.bias = false;
  const auto model = make_language_model(config, {});
  export_hf(*model, folder / "out", {.vocab_size = 7});
  const HfModel read = import_hf(folder / "out");
  CHECK((read.config.bias && read.config.vocab_size == 7));
  CHECK(read.tensors.at("transformer.h.0.attn.c_attn.bias").abs().max().item<double>() == 0);
  CHECK(torch::equal(read.tensors.at("transformer.wte.weight"), model->output_weight().detach().narrow(0, 0, 7)));
}

TEST_CASE("names without the base prefix, old buffers and a copy of the tied output layer are accepted", "[models]") {
  const TemporaryFolder folder;
  const HfModel read = spoilt(folder, "gpt2", [](tensor::NamedTensors& tensors, nlohmann::json&) {
    tensor::NamedTensors bare;
    for (const auto& [name, tensor] : tensors) bare[name.substr(std::string("transformer.").size())] = tensor;
    bare["h.0.attn.bias"] = torch::ones({1, 1, 6, 6}, torch::kBool);
    bare["lm_head.weight"] = tensors.at("transformer.wte.weight").clone();
    tensors = bare;
  });
  CHECK(read.tensors.size() == nn::stored_tensors(*make_language_model(read.config, {})).size());
}

TEST_CASE("tensors that do not fit are refused in one message that names them all", "[models]") {
  const TemporaryFolder folder;
  const auto import = [&] {
    return spoilt(folder, "opt", [](tensor::NamedTensors& tensors, nlohmann::json&) {
      tensors.erase("model.decoder.layers.0.fc1.bias");
      tensors["model.decoder.layers.7.fc1.bias"] = torch::zeros({32});
      tensors["model.decoder.layers.0.fc2.weight"] = torch::zeros({8, 31});
    });
  };
  CHECK_THROWS_WITH(import(), ContainsSubstring("missing: model.decoder.layers.0.fc1.bias") &&
                                  ContainsSubstring("unexpected: model.decoder.layers.7.fc1.bias") &&
                                  ContainsSubstring("misshapen: model.decoder.layers.0.fc2.weight [8, 31], expected"));
}

TEST_CASE("a configuration that this program does not compute is refused with file and key", "[models]") {
  struct Row {
    const char *family, *key;
    nlohmann::json value;
  };
  const auto row = GENERATE(Row{"opt", "layer_norm_elementwise_affine", false}, Row{"gpt2", "embd_pdrop", 0.5},
                            Row{"gpt2", "scale_attn_by_inverse_layer_idx", true}, Row{"llama", "head_dim", 5},
                            Row{"llama", "rope_scaling", {{"rope_type", "yarn"}}}, Row{"llama", "hidden_act", "mish"},
                            Row{"llama", "hidden_size", "wide"}, Row{"opt", "model_type", "bert"});
  CAPTURE(row.key);
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(
      spoilt(folder, row.family, [&](tensor::NamedTensors&, nlohmann::json& config) { config[row.key] = row.value; }),
      ContainsSubstring("config.json': '" + std::string(row.key) + "' is " + row.value.dump()));
}

TEST_CASE("an index that leaves its folder, or names a file that lacks the tensor, is refused", "[models]") {
  const TemporaryFolder folder;
  const auto model = make_language_model(tiny_config("opt"), {});
  export_hf(*model, folder / "out", {.max_shard_bytes = 2000});
  const auto index_file = folder / "out/model.safetensors.index.json";
  const auto index = nlohmann::json::parse(read_file(index_file));
  const std::string name = "model.decoder.final_layer_norm.bias";
  const auto with = [&](const std::string& file) {
    auto changed = index;
    changed["weight_map"][name] = file;
    std::ofstream(index_file) << changed.dump();
  };
  with("../elsewhere.safetensors");
  CHECK_THROWS_WITH(import_hf(folder / "out"), ContainsSubstring("does not lie in the folder"));
  with(index.at("weight_map").at("model.decoder.layers.0.fc2.weight"));
  CHECK_THROWS_WITH(import_hf(folder / "out"), ContainsSubstring("not in the file that the index names: " + name));
}

TEST_CASE("transformers loads what is exported and computes the same logits", "[models][slow]") {
  const char* python = std::getenv("SST_TRANSFORMERS_PYTHON");
  if (python == nullptr) {
    testing::skip("SST_TRANSFORMERS_PYTHON names no Python that has torch and transformers");
    return;
  }
  const TemporaryFolder folder;
  std::string command = std::string(python) + " " + SST_SOURCE_DIR + "/tests/models/transformers_check.py";
  const auto add = [&](const std::string& name, LanguageModelConfig config, const HfExport& how = {}) {
    config.init_std = 0.3;  // so that every part shows in the logits
    const auto model = make_language_model(config, {.seed = 11});
    const torch::NoGradGuard no_grad;
    for (const auto& [tensor_name, tensor] : nn::stored_tensors(*model))
      if (tensor.dim() == 1) tensor.add_(tensor::normal(tensor.sizes(), 0, 0.3, {1, Stream::kInit, 1}));
    for (const auto& [tensor_name, tensor] : nn::stored_tensors(*model)) tensor.copy_(tensor.to(how.dtype));
    export_hf(*model, folder / name, how);
    const Tensor ids = (torch::arange(12) * 5 % 7).view({2, 6});
    Tensor logits = model->logits(model->hidden(ids, {}));
    if (how.vocab_size) logits = logits.narrow(-1, 0, *how.vocab_size).contiguous();
    tensor::write_safetensors(folder / name / "check.safetensors", {{"ids", ids}, {"logits", logits}});
    command += " " + (folder / name).string();
  };
  for (const std::string& family : language_model_families()) {
    add(family, tiny_config(family), {.max_shard_bytes = 2000});
    add(family + "_bf16", tiny_config(family), {.dtype = torch::kBFloat16});
    LanguageModelConfig config = tiny_config(family);
    config.tie_embeddings = !config.tie_embeddings;
    add(family + "_other_output", config);
    config.bias = !config.bias;
    add(family + "_other_bias", config);
  }
  LanguageModelConfig config = tiny_config("opt");
  config.embedding_size = 4;
  config.norm = "post";
  add("opt_projected", config);
  config = tiny_config("llama");
  config.num_kv_heads = 1;
  config.rope_theta = 500000;
  add("llama_grouped", config);
  add("gpt2_cut", tiny_config("gpt2"), {.vocab_size = 7});
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("a failed or refused export leaves nothing behind and nothing changed", "[models]") {
  const TemporaryFolder folder;
  const auto model = make_language_model(tiny_config("opt"), {});
  CHECK_THROWS_AS(export_hf(*model, folder / "out", {.files = {{"vocab.json", folder / "absent"}}}), DataError);
  CHECK(std::filesystem::is_empty(folder.path()));
  std::ofstream(folder / "vocab.json") << "{}";
  export_hf(*model, folder / "out/", {.files = {{"vocab.json", folder / "vocab.json"}}});
  CHECK(read_file(folder / "out/vocab.json") == "{}");
  CHECK_THROWS_WITH(export_hf(*model, folder / "out"), ContainsSubstring("is there already"));
}

TEST_CASE("a LLaMA folder with a SentencePiece model says how to read it", "[models]") {
  const TemporaryFolder folder;
  std::ofstream(folder / "our.model") << "pieces";
  export_hf(*make_language_model(tiny_config("llama"), {}), folder / "out",
            {.files = {{"tokenizer.model", folder / "our.model"}}});
  CHECK(read_file(folder / "out/tokenizer.model") == "pieces");
  CHECK(nlohmann::json::parse(read_file(folder / "out/tokenizer_config.json")).at("tokenizer_class") ==
        "LlamaTokenizer");
}

}  // namespace sst::models
