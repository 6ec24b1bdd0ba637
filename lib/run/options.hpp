#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recipe/words.hpp"
#include "tasks/registry.hpp"

/// The recipe sections that belong to the run itself: top level, precision, train, eval, checkpoint, logging, runtime.
namespace sst::run {

/// Top level.
struct RunOptions {
  int64_t recipe_version = 1;
  std::string name;
  std::optional<std::string> description;
  std::string task;
  int64_t seed = 1;
  std::optional<recipe::Path> data_root, out_root;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(recipe_version, "recipe_version", between(1, 1).required(), "version of the recipe format");
    field(name, "name", file_name().required(), "name of the run; part of its directory");
    field(description, "description", anything(), "one line for reports");
    field(task, "task", one_of(tasks::registry().names()).required(), "what is learnt");
    field(seed, "seed", at_least(0), "decides everything random but the data split");
    field(data_root, "data_root", anything(),
          "folder that data paths are relative to; default: $SST_DATA_ROOT, else ./data");
    field(out_root, "out_root", anything(), "folder of the run directories; default: $SST_OUT_ROOT, else ./runs");
  }
};

/// `init`: other weights than the model's own initial ones.
struct InitOptions {
  std::optional<recipe::Path> from;
  std::string optimizer = "fresh";
  std::string scheme = "default";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(from, "from", anything(),
          "run directory or checkpoint to start from; its matrices become the initial ones of any method");
    field(optimizer, "optimizer", one_of({"fresh", "keep"}),
          "keep: go on with the states of optimizer and method in init.from, which must be the same ones");
    field(scheme, "scheme", one_of({"default", "xavier_uniform", "normal"}),
          "what the matrices of linear maps and embeddings are drawn from; default: the model's own way; the other two "
          "are the same for all of them, without GPT-2's smaller start of the maps that end a block");
  }
};

/// `init` of scheme normal.
struct NormalInitOptions {
  double std = 0.02;

  template <class Field>
  void describe(Field& field) {
    field(std, "std", recipe::positive(), "standard deviation of the initial matrices");
  }
};

/// `train`: when training ends and what it minimises.
struct TrainOptions {
  std::optional<int64_t> max_steps, max_epochs, max_train_tokens;
  std::optional<recipe::Duration> max_time;
  int64_t nonfinite_patience = 0;
  std::string on_spike = "ignore";
  double spike_sigma = 6;
  int64_t spike_window = 128;
  std::optional<recipe::OneOrMany<double>> ema;

  std::vector<double> ema_decays() const { return ema ? ema->values : std::vector<double>(); }

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(max_steps, "max_steps", at_least(1), "optimizer steps after which training ends");
    field(max_epochs, "max_epochs", at_least(1), "epochs after which training ends");
    field(max_train_tokens, "max_train_tokens", at_least(1),
          "tokens after which training ends, rounded up to whole steps; only where there are tokens");
    field(max_time, "max_time", at_least(1), "training time, over all restarts, after which training ends");
    field(nonfinite_patience, "nonfinite_patience", at_least(0),
          "steps in a row with a non-finite loss or gradient that are skipped before the run ends as diverged");
    field(
        on_spike, "on_spike", one_of({"ignore", "skip", "rollback"}),
        "a step whose loss or gradient norm is far above those before: skip leaves out its update, rollback goes back "
        "to the last checkpoint of checkpoint.every and on with the data after the spike");
    field(spike_sigma, "spike_sigma", positive(), "standard deviations above the mean that make a spike");
    field(
        ema, "ema", fraction_below_one(),
        "decay, or decays, of averages of the weights; each is evaluated beside the weights, as valid/ema_0.999/loss");
    field(spike_window, "spike_window", at_least(4), "accepted steps over which mean and deviation are taken");
  }
};

/// `eval`.
struct EvalOptions {
  recipe::Interval every = recipe::Interval::steps(1000);
  bool at_start = false;
  bool at_end = true;
  std::string checkpoint = "best";
  std::vector<std::string> splits = {"valid"};
  std::vector<std::string> metrics;
  int64_t patience = 0;
  double min_delta = 0;
  int64_t min_epochs = 0;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(every, "every", anything(), "interval between evaluations");
    field(at_start, "at_start", anything(), "evaluate before the first step");
    field(at_end, "at_end", anything(), "evaluate a checkpoint on the test split when training has ended");
    field(checkpoint, "checkpoint", one_of({"best", "last"}), "which one at_end evaluates");
    field(splits, "splits", one_of({"train_set", "valid", "test"}).items(1, 3),
          "splits that are evaluated during training; train_set (image_classification): all training data, by the "
          "weights "
          "as they are");
    field(metrics, "metrics", one_of(tasks::all_metrics()), "what is computed; default: all that the task knows");
    field(patience, "patience", at_least(0),
          "evaluations without a strictly better checkpoint.best_metric after which training ends; 0: never");
    field(min_delta, "min_delta", at_least(0), "how much better counts as better");
    field(min_epochs, "min_epochs", at_least(0), "no early stop up to this epoch");
  }
};

/// `checkpoint`.
struct CheckpointOptions {
  recipe::Interval every = recipe::Interval::steps(1000);
  int64_t keep_last = 2;
  int64_t keep_best = 1;
  recipe::Interval keep_every = recipe::Interval::off();
  std::optional<std::string> best_metric;
  std::string best_mode = "auto";
  bool async = true;
  bool weights_only_at_end = false;

  /// What lies in main memory beside the model: the best one between saves, and the one that is being written.
  int64_t copies_in_memory() const { return (keep_best > 0 ? 1 : 0) + (async ? 1 : 0); }

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(every, "every", anything(), "interval between checkpoints");
    field(keep_last, "keep_last", at_least(1), "newest checkpoints that are kept");
    field(keep_best, "keep_best", at_least(0), "best checkpoints that are kept");
    field(keep_every, "keep_every", anything(), "checkpoints at this interval are never deleted");
    field(best_metric, "best_metric", anything(),
          "metric that decides which checkpoint is best, such as valid/f1; default: the first of eval.metrics");
    field(best_mode, "best_mode", one_of({"min", "max", "auto"}), "whether less or more is better; auto: by metric");
    field(async, "async", anything(), "copy what is to be saved in memory and write it while training goes on");
    field(weights_only_at_end, "weights_only_at_end", anything(),
          "what is saved when training has ended is left without the optimizer's state; it cannot be resumed from");
  }
};

/// `logging`.
struct LoggingOptions {
  recipe::Interval every = recipe::Interval::steps(50);
  recipe::Interval per_layer = recipe::Interval::off();
  recipe::Interval weights = recipe::Interval::off();
  bool jsonl = true;
  bool csv = false;
  bool tensorboard = true;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(every, "every", anything(), "interval between training lines");
    field(per_layer, "per_layer", anything(),
          "interval between measurements of every layer: norms of weights and gradients, singular values; costs one "
          "decomposition for each linear map");
    field(
        weights, "weights", anything(),
        "interval between measurements of the weights and of what a step does to them: norms, effective learning rate, "
        "relative update; costs a copy of the weights");
    field(jsonl, "jsonl", anything(), "write metrics.jsonl; the report's curves come from it");
    field(csv, "csv", anything(), "write metrics.csv");
    field(tensorboard, "tensorboard", anything(), "write TensorBoard events");
  }
};

/// `runtime`.
struct RuntimeOptions {
  std::string device = "auto";
  int64_t threads = 0;
  bool deterministic = true;
  std::string attention = "auto";
  bool cuda_graphs = false;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(device, "device", one_of({"auto", "cpu", "cuda", "cuda:N"}),
          "where tensors live; by auto and cuda each process of a machine has a GPU of its own");
    field(threads, "threads", at_least(0), "CPU threads; 0: automatic");
    field(deterministic, "deterministic", anything(), "same bits on every run");
    field(attention, "attention", one_of({"auto", "flash", "math"}),
          "how attention is computed: flash: the fused kernel or an error where there is none; math: products and "
          "softmax "
          "spelt out; auto: the fastest that this device and these types have; differs by rounding only");
    field(cuda_graphs, "cuda_graphs", anything(),
          "record forward and backward of a micro-batch once and play it again, which spares a GPU the waits between "
          "small "
          "kernels, for the memory of one more micro-batch; language models without dropout; without a GPU it changes "
          "nothing");
  }
};

/// `distributed`: the processes that train one model together.
struct DistributedOptions {
  std::string backend = "auto";
  recipe::Duration timeout = {600};
  recipe::Interval check_sync_every = recipe::Interval::steps(1000);
  bool shard_optimizer = false;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(backend, "backend", one_of({"auto", "nccl", "gloo"}),
          "what exchanges tensors; auto: nccl between GPUs, gloo otherwise");
    field(timeout, "timeout", anything(), "how long processes wait for each other, at the start and in each exchange");
    field(check_sync_every, "check_sync_every", anything(),
          "interval between comparisons of the weights of all processes; a difference ends the run");
    field(shard_optimizer, "shard_optimizer", anything(),
          "each process keeps the optimizer's moments of its share of the weights alone, and updates that (ZeRO, stage "
          "1); "
          "what a method moves as a whole (GaLore's projected matrices, low-rank triples, points) stays on all");
  }
};

}  // namespace sst::run
