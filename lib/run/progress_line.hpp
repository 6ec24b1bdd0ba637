#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "run/journal.hpp"

/// What a moment of training looks like: for the terminal, for log.txt, and as fields of metrics.jsonl. Pure
/// functions.
namespace sst::run {

/// One report of training. A thing that is not known or has no meaning for the task is left out everywhere.
struct TrainStatus {
  int64_t step = 0;
  double epoch = 0;
  double loss_nats = 0;
  std::optional<int64_t> tokens = {};  ///< seen since the start of training
  std::optional<double> ppl_token = {};
  std::optional<double> lr = {};
  std::optional<double> grad_norm = {};
  std::optional<double> tokens_per_s = {};
  std::optional<double> epochs_per_s = {};  ///< what graph tasks show in place of tokens
  std::optional<double> mfu = {};           ///< fraction of the device's dense peak
  std::optional<double> data_wait = {};     ///< fraction of the time spent waiting for data
  std::optional<double> memory_bytes = {};  ///< peak
  std::optional<double> device_memory_bytes = {};
  std::map<std::string, double> more = {};  ///< "manifold/max_violation", "method/…": files only
};

/// One evaluation of a split.
struct Evaluation {
  int64_t step = 0;
  std::string split = "valid";
  std::map<std::string, double> metrics = {};          ///< "loss", "f1", …
  int64_t examples = 0;                                ///< that were looked at; 0: not told
  std::map<std::string, std::string> signatures = {};  ///< what makes "bleu" comparable
  std::string best_metric = {};  ///< "valid/f1" or "f1"; empty where nothing is selected by this evaluation
  double best = 0;               ///< the best value so far, this one included
  int64_t best_step = 0;         ///< where it was reached: = step when it is new
  double seconds = 0;
};

/// Fields for Journal::train: "epoch", "train/loss", "optim/lr", "perf/epochs_per_s", "mem/peak_gib", …
MetricFields journal_fields(const TrainStatus& status);

/// Fields for Journal::eval: "valid/loss", "valid/f1", …, "valid/bleu_signature", …, "valid/seconds".
MetricFields journal_fields(const Evaluation& evaluation);

/// Without a time in front, as log.txt has it:
/// "train step=12300/40000 epoch=9.21 loss=4.2130 ppl=67.56 lr=5.640e-03 grad_norm=0.831 tok/s=182034 …
/// eta=1h12m". total_steps 0: unknown. eta_s absent: not shown.
std::string plain_line(const TrainStatus& status, int64_t total_steps, std::optional<double> eta_s);

/// "valid step=12000 loss=4.1050 ppl_token=60.60 bleu=21.37 best=21.37 best_step=12000 seconds=18.4".
std::string plain_line(const Evaluation& evaluation);

/// "train 12,300/40,000 ██████▌              31%  loss 4.213  …  eta 1h12m" in at most `columns` cells: first
/// the bar shrinks, then the fields that matter least go, then the line is cut.
std::string bar_line(const TrainStatus& status, int64_t total_steps, std::optional<double> eta_s, size_t columns,
                     bool color);

/// "valid 12,000  loss 4.105  ppl_token 60.6  bleu 21.37  best 21.37 (new)  18.4 s"; a best that is not new
/// says where it was reached: "best 21.37 at 11,000".
std::string terminal_line(const Evaluation& evaluation, size_t columns, bool color);

/// `cells` wide, filled to the nearest eighth of a cell: "██████▌     ".
std::string bar(double fraction, size_t cells);

/// "1h12m", "3m05s", "18s": no space inside, so that it can stand in key=value.
std::string eta_text(double seconds);

}  // namespace sst::run
