#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sst::run {

class EventFile;

/// One measured thing under its name: {"train/loss", 4.213}, {"event", "method_round"}.
using MetricValue = std::variant<double, int64_t, std::string, std::vector<double>>;
using MetricFields = std::vector<std::pair<std::string, MetricValue>>;

/// One line of metrics.jsonl, newline included: {"v":1,"time":…,"kind":…,"step":…, fields in their order}.
/// Lists are arrays, in metrics.csv their numbers with spaces between; TensorBoard gets none.
/// JSON has no NaN: a value that is not finite is null, and its key is listed in "nonfinite".
std::string metric_line(std::string_view time, std::string_view kind, int64_t step, const MetricFields& fields);

/// The measurements of a run, as files: metrics.jsonl, metrics.csv (one "time,kind,step,name,value" line per
/// value) and TensorBoard events in tb/ under the same names. Each line is appended with a single write, so
/// that whoever follows the file, and whoever kills the process, sees whole lines.
class Journal {
 public:
  struct Options {
    bool jsonl = true;
    bool csv = false;
    bool tensorboard = true;
  };

  /// Opens the files in `run_dir`, which exists. `resumed_step`: the run goes on from there, so lines of
  /// later steps and a line torn by a kill are cut away first; without it (a fresh run) the files start
  /// empty.
  ///   throws  ResourceError with path and reason
  Journal(const std::filesystem::path& run_dir, const Options& options, std::optional<int64_t> resumed_step = {});
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// The run goes on from `step` again: lines of later steps are cut away, as when it is resumed.
  void rewind(int64_t step);

  void train(int64_t step, const MetricFields& fields) { record("train", step, fields); }
  /// Names carry their split: "valid/f1".
  void eval(int64_t step, const MetricFields& fields) { record("eval", step, fields); }
  /// What `logging.per_layer` measures: "layer/NAME/weight_norm".
  void layers(int64_t step, const MetricFields& fields) { record("layers", step, fields); }
  /// What `logging.weights` measures: "weights/norm".
  void weights(int64_t step, const MetricFields& fields) { record("weights", step, fields); }
  /// "method_round", "saved", "resumed", …
  void event(int64_t step, const std::string& event, MetricFields fields = {});

 private:
  void record(std::string_view kind, int64_t step, const MetricFields& fields);

  void open(std::optional<int64_t> resumed_step);
  void close();

  std::filesystem::path run_dir_;
  Options options_;
  int jsonl_ = -1;  ///< file descriptors, -1 where not asked for
  int csv_ = -1;
  std::unique_ptr<EventFile> events_;
};

}  // namespace sst::run
