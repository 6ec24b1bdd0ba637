#include "run/train.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "checkpoint/store.hpp"
#include "core/clock.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "dist/group.hpp"
#include "dist/launch.hpp"
#include "recipe/load.hpp"
#include "recipe/sweep.hpp"
#include "report/metric_words.hpp"
#include "report/pages.hpp"
#include "run/device.hpp"
#include "run/final_results.hpp"
#include "run/out_of_memory.hpp"
#include "run/recipe_schema.hpp"
#include "run/run_folder.hpp"
#include "run/run_lock.hpp"
#include "run/stop_signals.hpp"
#include "run/table_spec.hpp"
#include "run/trainer.hpp"
#include "tasks/registry.hpp"
#include "tensor/memory_meter.hpp"

namespace sst::run {
namespace {

std::filesystem::path out_root(const recipe::Recipe& recipe) {
  if (recipe.has("out_root")) return recipe.value<std::optional<recipe::Path>>("out_root")->text;
  const char* from_environment = std::getenv("SST_OUT_ROOT");
  return from_environment ? from_environment : "runs";
}

BestTracker::Options tracker_options(const recipe::Recipe& recipe) {
  const auto eval = recipe.read<EvalOptions>("eval");
  const auto checkpoint = recipe.read<CheckpointOptions>("checkpoint");
  const auto& known = tasks::registry().at(recipe.value<std::string>("task")).metrics;
  const std::string first = eval.metrics.empty() ? known.front() : eval.metrics.front();
  const std::string metric = checkpoint.best_metric.value_or(eval.splits.front() + "/" + first);
  const bool higher =
      checkpoint.best_mode == "auto" ? !report::smaller_is_better(metric) : checkpoint.best_mode == "max";
  return {.metric = metric, .higher_is_better = higher, .min_delta = eval.min_delta, .patience = eval.patience};
}

/// Keys that differ between the recipe of a checkpoint and this one, but for those that may.
void check_same_recipe(const checkpoint::Contents& contents, const recipe::Recipe& recipe) {
  recipe::Diagnostics diagnostics;
  const auto saved =
      recipe::load_text(contents.recipe_yaml, "the checkpoint's recipe", {}, recipe_schema(), diagnostics);
  if (diagnostics.has_errors())
    throw CheckpointError("the checkpoint's own recipe cannot be read by this version:\n" + diagnostics.render());
  std::vector<std::string> lines;
  for (const auto& difference : recipe.differences(saved)) {
    if (recipe::may_differ_on_resume(difference.key)) continue;
    if (recipe::is_stop_condition(difference.key)) {
      log::warning("{} was {} and is now {}: a schedule that depends on the end of training changes with it",
                   difference.key, difference.theirs.empty() ? "not set" : difference.theirs,
                   difference.ours.empty() ? "not set" : difference.ours);
      continue;
    }
    lines.push_back(fmt::format("  {}: {} -> {}", difference.key, difference.theirs, difference.ours));
  }
  if (!lines.empty())
    throw CheckpointError("the checkpoint was written by another recipe:\n" + join(lines, "\n"),
                          "give the same values, or another run directory with --out");
}

/// One run from its directory to its report.
class Session {
 public:
  Session(const recipe::Recipe& recipe, const TrainFlags& flags)
      : recipe_(recipe.without("sweep")), flags_(flags), run_dir_(run_directory(recipe, flags.out)) {}

  TrainOutcome run();

 private:
  void join_group();
  bool leads() const { return group_->is_leader(); }
  void share_start() const;
  TrainOutcome dry_run();
  std::optional<TrainOutcome> finished_already() const;
  TrainOutcome run_locked();
  std::optional<checkpoint::Contents> load_resume_point(const checkpoint::Store& store) const;
  std::optional<checkpoint::Store::Found> find_resume_point(const checkpoint::Store& store) const;
  void announce(const std::optional<checkpoint::Contents>& from, int64_t attempt) const;
  void show_essentials() const;
  /// Runs `action`; its end for want of memory says what the run needs and what would help.
  template <class Doing, class Action>
  auto advised(const Doing& doing, const Action& action) const {
    const torch::Device device = resolve_device(recipe_.read<RuntimeOptions>("runtime").device);
    return explaining_memory(recipe_, device, group_->size(), estimated_, doing, action);
  }
  void start();

  recipe::Recipe recipe_;
  TrainFlags flags_;
  std::filesystem::path run_dir_;
  std::shared_ptr<const dist::Group> group_ = dist::Group::alone();
  Assembly assembly_;
  std::optional<MemoryEstimate> estimated_;  ///< once the model is built
  std::optional<tensor::TensorMemoryMeter> meter_;
};

TrainOutcome Session::run() {
  const auto runtime = recipe_.read<RuntimeOptions>("runtime");
  if (runtime.threads > 0) at::set_num_threads(static_cast<int>(runtime.threads));
  join_group();
  if (flags_.dry_run) return dry_run();
  if (flags_.overwrite && leads()) RunFolder::move_aside(run_dir_);
  const auto outcome = leads() ? finished_already() : std::nullopt;
  if (group_->leader_says(outcome.has_value()))
    return outcome.value_or(TrainOutcome{.run_dir = run_dir_, .results = {}});
  if (leads() && flags_.resume == "never" && RunFolder::holds_a_run(run_dir_))
    throw UserError("'" + run_dir_.string() + "' already holds a run",
                    "drop --resume never to go on, or add --overwrite");
  return run_locked();
}

/// Meets the other processes of this run, where a launcher has started several.
void Session::join_group() {
  const auto launch = dist::detect_launch();
  if (launch.is_single()) return;
  if (launch.rank > 0) log::set_level(log::Level::kWarning);
  const auto options = recipe_.read<DistributedOptions>("distributed");
  group_ = std::make_shared<const dist::Group>(
      launch, dist::GroupOptions{.timeout = std::chrono::seconds(options.timeout.seconds),
                                 .folder = run_dir_,
                                 .device = resolve_device(recipe_.read<RuntimeOptions>("runtime").device),
                                 .backend = options.backend});
  group_->require_same("program", version_text());
  group_->require_same("recipe", recipe_.hash() + " with seed " + recipe_.text("seed"));
}

/// Everything starts from the leader's bits: a decomposition may come out otherwise on another kind of processor.
void Session::share_start() const {
  if (group_->is_alone()) return;
  for (const auto& [name, tensor] : nn::stored_tensors(assembly_.task->model())) group_->broadcast_(tensor.detach());
  for (const auto& [name, tensor] : assembly_.method->state_dict()) group_->broadcast_(tensor.detach());
}

TrainOutcome Session::dry_run() {
  advised([] { return "while building the model"; }, [&] { assembly_ = assemble(recipe_, group_); });
  match_rates(assembly_, recipe_);
  advised([] { return "while trying a step"; }, [&] { estimated_ = estimate_memory(assembly_); });
  show_essentials();
  const StepResult result = advised([] { return "in the first step"; },
                                    [&] {
                                      assembly_.method->on_start(*assembly_.optimizer);
                                      assembly_.averages.start(assembly_.task->model());
                                      return training_step(assembly_, 0);
                                    });
  log::info("dry run: the first step's loss is {:.4f}, its gradient norm {:.4g}; nothing was written", result.loss,
            result.gradient_norm);
  return {.code = ExitCode::kDone, .run_dir = run_dir_, .results = {}};
}

/// A finished run is done, unless the recipe now asks for more steps than it has.
std::optional<TrainOutcome> Session::finished_already() const {
  const auto done = RunFolder::done(run_dir_);
  if (!done) return std::nullopt;
  try {
    const auto train = recipe_.read<TrainOptions>("train");
    const auto contents_steps = [&](const char* key) {
      return done->value("stop", nlohmann::json::object()).value(key, int64_t{0});
    };
    const bool more = train.max_steps.value_or(0) > contents_steps("max_steps") ||
                      train.max_epochs.value_or(0) > contents_steps("max_epochs");
    // Another recipe in the same directory is the checkpoints' business, which refuse it.
    if (more || done->value("recipe_hash", std::string()) != recipe_.hash()) return std::nullopt;
    TrainOutcome outcome{.code = ExitCode::kDone, .run_dir = run_dir_, .results = {}};
    for (const auto& [name, value] : done->at("results").items())
      if (value.is_number()) outcome.results[name] = value.get<double>();
    outcome.signatures = done->value("signatures", outcome.signatures);
    log::info("finished already, {} steps: {}", done->value("step", int64_t{0}), run_dir_.string());
    return outcome;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // DONE is not ours; the checkpoints decide
  }
}

TrainOutcome Session::run_locked() {
  // The leader alone writes to the run directory, but for the logs of the others.
  std::optional<RunFolder> folder;
  std::optional<RunLock> lock;
  if (leads()) {
    folder.emplace(run_dir_);
    lock.emplace(run_dir_);
  }
  const auto options = recipe_.read<CheckpointOptions>("checkpoint");
  const auto tracker = tracker_options(recipe_);
  checkpoint::Store store(
      run_dir_ / "checkpoints",
      {.keep_last = options.keep_last, .keep_best = options.keep_best, .higher_is_better = tracker.higher_is_better});
  if (leads()) store.recover();
  const auto from = load_resume_point(store);
  if (from) check_same_recipe(*from, recipe_);
  if (folder) folder->begin_attempt(recipe_, flags_.arguments, from ? from->step : 0);
  log::open_file(run_dir_ / (leads() ? "log.txt" : fmt::format("log.rank{}.txt", group_->rank())));
  struct CloseLog {
    ~CloseLog() { log::close_file(); }
  } close_log;
  try {
    if (folder) announce(from, folder->attempts());
    meter_.emplace(resolve_device(recipe_.read<RuntimeOptions>("runtime").device).type());
    advised([] { return "while building the model"; }, [&] { assembly_ = assemble(recipe_, group_); });
    group_->require_same("data", assembly_.task->data_sha256());
    match_rates(assembly_, recipe_);
    BestTracker best(tracker);
    TrainState state;
    if (from) {
      state = restore(*from, assembly_, best);
      if (leads()) store.set_aside_after(state.step);
    } else {
      if (leads()) store.set_aside_after(-1);  // what could not be resumed from: damaged, or weights only
      advised([] { return "while making the first weights"; }, [&] { start(); });
      share_start();
      assembly_.averages.start(assembly_.task->model());
      state.evaluation_due = assembly_.eval.at_start;
    }
    advised([] { return "while trying a step"; }, [&] { estimated_ = estimate_memory(assembly_); });
    show_essentials();

    Journal journal(run_dir_,
                    {.jsonl = leads() && assembly_.logging.jsonl,
                     .csv = leads() && assembly_.logging.csv,
                     .tensorboard = leads() && assembly_.logging.tensorboard},
                    from ? std::optional<int64_t>(state.step) : std::nullopt);
    Progress progress({.format = flags_.log_format,
                       .color = flags_.color,
                       .quiet = flags_.quiet || !leads(),
                       .total_steps = assembly_.total_steps});
    StopSignals signals(flags_.max_time_s);
    signals.set_heeds_budget(!from);
    int stop_code = 0;  // once one process has been asked to stop, all stop at the same place
    const auto stop_requested = [&] {
      if (lock) lock->heartbeat();  // here, since an evaluation may take longer than a lock lives
      if (signals.stop_requested() || (folder && folder->take_stop_request()))
        stop_code = static_cast<int>(signals.exit_code());
      stop_code = static_cast<int>(group_->largest(stop_code));
      return stop_code != 0;
    };
    Trainer trainer({.assembly = assembly_,
                     .recipe = recipe_,
                     .run_dir = run_dir_,
                     .store = store,
                     .journal = journal,
                     .progress = progress,
                     .best = best,
                     .stop_requested = stop_requested,
                     .save_requested = [&] { return group_->leader_says(folder && folder->take_save_request()); },
                     .each_step =
                         [&](double stop_cost_s) {
                           signals.set_heeds_budget(true);
                           signals.set_stop_cost_s(stop_cost_s);
                         }},
                    state);
    bool is_stopped = advised([&] { return trainer.doing(); }, [&] { return trainer.run(); }) == Trainer::End::kStopped;
    progress.finish();
    if (folder) folder->update({{"step", trainer.state().step}, {"best", best.to_json()}});
    TrainOutcome outcome{.code = ExitCode::kDone, .run_dir = run_dir_, .results = {}};
    if (!is_stopped && assembly_.eval.at_end)
      is_stopped = !add_final_results(assembly_, store, run_dir_, stop_requested, outcome);
    if (is_stopped) outcome.code = static_cast<ExitCode>(stop_code);
    group_->barrier();  // nobody is late for what the others still need
    if (!folder) return outcome;
    folder->update({{"summary", run_summary(assembly_, trainer.state(), meter_->peak_bytes(), outcome)}});
    if (is_stopped) {
      const std::string reason = signals.reason().empty() ? "the file 'stop'" : signals.reason();
      folder->end_attempt("stopped", static_cast<int>(outcome.code), reason);
      log::info("stopped by {} after step {}; the same command goes on from here", reason, trainer.state().step);
    } else {
      const auto& train = assembly_.train;
      folder->end_attempt("finished", 0, "finished");
      const auto files = report::write_run_report(run_dir_, table_spec(recipe_));
      folder->mark_done(
          {{"step", trainer.state().step},
           {"recipe_hash", recipe_.hash()},
           {"results", outcome.results},
           {"signatures", outcome.signatures},
           {"stop", {{"max_steps", train.max_steps.value_or(0)}, {"max_epochs", train.max_epochs.value_or(0)}}}});
      log::info("finished after {} steps: {}", trainer.state().step, run_dir_.string());
      for (const auto& [name, value] : outcome.results) {
        const auto signature = outcome.signatures.find(name);
        log::info("  {:<26}{}{}", name, report::console_value(name, value, /*exact=*/true),
                  signature == outcome.signatures.end() ? "" : "  " + signature->second);
      }
      for (const auto& file : files) log::info("report: {}", file.string());
    }
    return outcome;
  } catch (const Error& error) {
    if (folder) folder->end_attempt("failed", static_cast<int>(error.code()), error.what());
    throw;
  } catch (const std::filesystem::filesystem_error& error) {
    if (folder) folder->end_attempt("failed", static_cast<int>(ExitCode::kResources), error.what());
    throw;
  } catch (const std::exception& error) {
    if (folder) folder->end_attempt("failed", static_cast<int>(ExitCode::kInternal), error.what());
    throw;
  }
}

/// What the run goes on from, if anything: the leader finds it, all load it.
std::optional<checkpoint::Contents> Session::load_resume_point(const checkpoint::Store& store) const {
  std::optional<checkpoint::Store::Found> found;
  if (leads()) found = find_resume_point(store);
  const std::string folder = group_->gather(found ? found->folder.string() : std::string()).front();
  if (found) return std::move(found->contents);
  return folder.empty() ? std::nullopt : std::optional(checkpoint::load(folder));
}

std::optional<checkpoint::Store::Found> Session::find_resume_point(const checkpoint::Store& store) const {
  if (flags_.resume != "auto" && flags_.resume != "must" && flags_.resume != "never") {
    const auto folder = checkpoint::find(flags_.resume, "last");
    return checkpoint::Store::Found{folder, checkpoint::load(folder)};
  }
  auto newest = store.newest_good();
  if (!newest && flags_.resume == "must")
    throw CheckpointError("there is no checkpoint in '" + run_dir_.string() + "'",
                          "drop --resume must to start afresh");
  return newest;
}

void Session::announce(const std::optional<checkpoint::Contents>& from, int64_t attempt) const {
  if (!from) return log::info("training in {}", run_dir_.string());
  const auto note = checkpoint::read_note(run_dir_ / "checkpoints" / checkpoint::folder_name(from->step));
  log::info("resuming step {} from {}, saved {}, attempt {}", from->step,
            (run_dir_ / "checkpoints" / checkpoint::folder_name(from->step)).string(), note.written, attempt);
}

void Session::show_essentials() const {
  const auto counts = count_parameters(assembly_);
  const auto line = [](const std::string& name, const std::string& value) { log::info("  {:<14}{}", name, value); };
  line("task", assembly_.run.task);
  for (const auto& [name, value] : assembly_.task->facts()) line(name, value);
  int64_t replaced = 0;
  for (const auto& module : assembly_.task->model().modules()) {
    const auto* map = dynamic_cast<const nn::LinearMap*>(module.get());
    if (map && assembly_.method->replaces(map->spec())) ++replaced;
  }
  line("method", recipe_.text("method.name") +
                     (recipe_.has("method.rank") ? " rank " + recipe_.text("method.rank") : "") +
                     (replaced == 0 ? "" : fmt::format(" on {} linear maps", replaced)));
  line("parameters",
       fmt::format("{} total, {} trainable ({:.1f} %)", with_thousands(counts.total), with_thousands(counts.trainable),
                   100.0 * static_cast<double>(counts.trainable) / static_cast<double>(counts.total)));
  line("memory", human_bytes(estimated_->total()) + " of tensors, estimated");
  line("device",
       fmt::format("{}, {}, {}{} threads", assembly_.device.str(), assembly_.precision.words(),
                   group_->is_alone() ? "" : fmt::format("{} processes of ", group_->size()), at::get_num_threads()));
}

/// A fresh run: the recipe's initial weights, or those of `init.from`.
void Session::start() {
  const auto init = recipe_.read<InitOptions>("init");
  if (init.optimizer == "keep") {
    try {
      return load_initial_states(init.from->text, assembly_);
    } catch (const CheckpointError& error) {
      throw UserError(
          recipe_.place("init.optimizer").text() + ": 'init.optimizer: keep' does not fit: " + error.what(),
          "only the same model, method and optimizer can go on with these states; use init.optimizer: fresh");
    }
  }
  if (init.from) load_initial_weights(init.from->text, assembly_);
  assembly_.method->on_start(*assembly_.optimizer);
}

}  // namespace

std::filesystem::path runs_folder(const recipe::Recipe& recipe) {
  return out_root(recipe) / recipe.value<std::string>("name");
}

std::filesystem::path run_directory(const recipe::Recipe& recipe, const std::optional<std::filesystem::path>& out) {
  if (out) return *out;
  return runs_folder(recipe) / fmt::format("{}-s{}", recipe.without("sweep").hash8(), recipe.value<int64_t>("seed"));
}

TrainOutcome train(const recipe::Recipe& recipe, const TrainFlags& flags) { return Session(recipe, flags).run(); }

}  // namespace sst::run
