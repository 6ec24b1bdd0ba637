#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "recipe/load.hpp"
#include "recipe/sweep.hpp"

/// A small schema with one of everything the recipe language knows, and short ways to load texts with it.
namespace sst::recipe_test {

using namespace recipe;

struct TopOptions {
  std::string name, task;
  std::optional<std::string> description;
  int64_t seed = 1;
  Path data_root{"data"};
  Path out_root{"runs"};
  template <class Field>
  void describe(Field& field) {
    field(name, "name", file_name().required(), "names the run");
    field(description, "description", anything(), "a sentence about it");
    field(task, "task", one_of({"node_classification", "link_prediction"}).required(), "what is trained");
    field(seed, "seed", at_least(0), "seed of everything random");
    field(data_root, "data_root", anything(), "where data paths start");
    field(out_root, "out_root", anything(), "where run directories are made");
  }
};

struct DataOptions {
  std::string format = "hgcn";
  std::optional<std::string> dataset, src_lang;
  std::optional<Path> dir;
  bool use_feats = true;
  template <class Field>
  void describe(Field& field) {
    field(format, "format", one_of({"hgcn", "sir_tree"}), "where the graph comes from");
    field(dataset, "dataset", one_of({"cora", "pubmed"}), "name of the data set");
    field(dir, "dir", anything(), "folder of the data set");
    field(src_lang, "src_lang", anything(), "language of the source");
    field(use_feats, "use_feats", anything(), "false: one-hot features");
  }
};

struct LinkDataOptions {
  double valid_prop = 0.05;
  template <class Field>
  void describe(Field& field) {
    field(valid_prop, "valid_prop", fraction(), "share of the edges for validation");
  }
};

struct ModelOptions {
  std::string family = "hybonet_gcn";
  int64_t hidden_size = 16, num_layers = 2;
  double dropout = 0;
  template <class Field>
  void describe(Field& field) {
    field(family, "family", one_of({"hybonet_gcn", "gcn"}), "architecture");
    field(hidden_size, "hidden_size", at_least(1), "width");
    field(num_layers, "num_layers", at_least(1), "depth");
    field(dropout, "dropout", fraction(), "share of entries that are dropped");
  }
};

struct MethodName {
  std::string name = "full";
  template <class Field>
  void describe(Field& field) {
    field(name, "name", one_of({"full", "lora", "sst"}), "how linear maps are trained");
  }
};

struct LoraOptions {
  int64_t rank = 8;
  std::optional<double> alpha;
  std::vector<std::string> targets = {"*"};
  std::string init = "kaiming";
  template <class Field>
  void describe(Field& field) {
    field(rank, "rank", between(1, 4096).required(), "rank of the update");
    field(alpha, "alpha", positive(), "the update is scaled by alpha / rank");
    field(targets, "targets", anything().items(1, 100), "maps that are trained so");
    field(init, "init", one_of({"kaiming", "zero"}), "how A starts");
  }
};

struct SstOptions {
  int64_t rank = 8;
  Interval iteration_interval = Interval::steps(200);
  OrWord<int64_t> iterations_per_round{{}, "auto"};
  std::string sampling = "multinomial";
  std::vector<std::string> targets = {"*"};
  std::string init = "svd";
  template <class Field>
  void describe(Field& field) {
    field(rank, "rank", between(1, 4096).required(), "rank of the update");
    field(targets, "targets", anything().items(1, 100), "maps that are trained so");
    field(iteration_interval, "iteration_interval", at_least(1), "steps between samplings");
    field(iterations_per_round, "iterations_per_round", at_least(1).or_word("auto"), "samplings in a round");
    field(sampling, "sampling", one_of({"multinomial", "uniform", "top_r"}), "how vectors are chosen");
    field(init, "init", one_of({"svd", "random"}), "what is decomposed at the start");
  }
};

struct OptimOptions {
  std::string name = "adam";
  double lr = 1e-3, grad_clip = 1.0;
  std::vector<double> betas = {0.9, 0.999};
  OneOrMany<std::string> weight_decay_on{{"matrices"}};
  template <class Field>
  void describe(Field& field) {
    field(name, "name", one_of({"adam", "adamw", "riemannian_adam"}), "update rule");
    field(lr, "lr", positive(), "peak learning rate");
    field(grad_clip, "grad_clip", at_least(0), "global norm; 0 = off");
    field(betas, "betas", fraction_below_one().items(2, 2), "decay of the moments");
    field(weight_decay_on, "weight_decay_on", anything(), "what decays");
  }
};

struct ScheduleOptions {
  std::string name = "constant";
  int64_t warmup_steps = 0;
  template <class Field>
  void describe(Field& field) {
    field(name, "name", one_of({"constant", "cosine", "inverse_sqrt"}), "shape over time");
    field(warmup_steps, "warmup_steps", at_least(0), "steps of linear growth");
  }
};

struct TrainOptions {
  std::optional<int64_t> max_steps, max_epochs;
  std::optional<Duration> max_time;
  template <class Field>
  void describe(Field& field) {
    field(max_steps, "max_steps", at_least(1), "stop after so many steps");
    field(max_epochs, "max_epochs", at_least(1), "stop after so many epochs");
    field(max_time, "max_time", at_least(1), "stop after so long");
  }
};

struct PrecisionOptions {
  std::string compute = "fp32", params = "fp32";
  template <class Field>
  void describe(Field& field) {
    field(compute, "compute", one_of({"fp32", "fp64", "bf16"}), "type of products");
    field(params, "params", one_of({"fp32", "fp64", "bf16"}), "type of weights");
  }
};

struct EvalOptions {
  Interval every = Interval::steps(1000);
  std::vector<std::string> metrics = {"loss"};
  int64_t beam_size = 5;
  template <class Field>
  void describe(Field& field) {
    field(every, "every", at_least(1), "how often");
    field(metrics, "metrics", one_of({"loss", "f1", "accuracy"}), "what is measured");
    field(beam_size, "decode.beam_size", at_least(1), "width of the search");
  }
};

struct RuntimeOptions {
  std::string device = "auto";
  Bytes cache{int64_t{8} << 30};
  template <class Field>
  void describe(Field& field) {
    field(device, "device", one_of({"auto", "cpu", "cuda", "cuda:N"}), "where it runs");
    field(cache, "cache", at_least(1), "memory for data");
  }
};

inline Schema make_schema() {
  Schema schema;
  schema.describe<TopOptions>("");
  schema.section_doc("data", "what is learned from");
  schema.describe<DataOptions>("data");
  schema.describe<LinkDataOptions>("data", only_when("task", {"link_prediction"}));
  schema.describe<ModelOptions>("model");
  schema.section_doc("method", "how linear maps are parametrised and trained");
  schema.describe<MethodName>("method");
  schema.describe<LoraOptions>("method", only_when("method.name", {"lora"}));
  schema.describe<SstOptions>("method", only_when("method.name", {"sst"}));
  schema.describe<OptimOptions>("optim");
  schema.describe<ScheduleOptions>("schedule");
  schema.describe<TrainOptions>("train");
  schema.describe<PrecisionOptions>("precision");
  schema.preset("precision", "fp32", {{"compute", "fp32"}, {"params", "fp32"}});
  schema.preset("precision", "bf16_mixed", {{"compute", "bf16"}, {"params", "fp32"}});
  schema.describe<EvalOptions>("eval");
  schema.describe<RuntimeOptions>("runtime");
  describe_sweep_and_report(schema);
  return schema;
}

inline const Schema& schema() {
  static const Schema the_schema = make_schema();
  return the_schema;
}

/// The lines every recipe needs.
inline const std::string kHead = "recipe_version: 1\nname: a\ntask: node_classification\n";

/// Loads `kHead` followed by `body`; lines of the body start at 4.
inline Recipe load_body(const std::string& body, Diagnostics& diagnostics, std::vector<std::string> overrides = {}) {
  LoadOptions options;
  options.overrides = std::move(overrides);
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOME_OF_DATA") return "/corpora";
    return std::nullopt;
  };
  return load_text(kHead + body, "r.yaml", options, schema(), diagnostics);
}

/// Loads a recipe that must be right.
inline Recipe good(const std::string& body, std::vector<std::string> overrides = {}) {
  Diagnostics diagnostics;
  Recipe recipe = load_body(body, diagnostics, std::move(overrides));
  diagnostics.throw_if_errors();
  return recipe;
}

/// The report of a recipe that must be wrong, without its last line; "" when there is nothing to report.
inline std::string problems(const std::string& body, std::vector<std::string> overrides = {}) {
  Diagnostics diagnostics;
  load_body(body, diagnostics, std::move(overrides));
  std::string text = diagnostics.render();
  if (diagnostics.has_errors())
    text.erase(text.rfind('\n', text.size() - 2) == std::string::npos ? 0 : text.rfind('\n', text.size() - 2) + 1);
  return text;
}

/// A folder with files, removed at the end.
class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("sst_recipe_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace sst::recipe_test
