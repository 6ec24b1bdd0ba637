#include "recipe/synonyms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/text.hpp"

namespace sst::recipe {
namespace {

/// A key as another program calls it. Where `targets` is empty, `advice` is the whole hint.
struct Synonym {
  std::vector<std::string_view> written;
  std::vector<std::string_view> targets;
  std::string_view advice = "";
};

/// Peers: Hugging Face, PEFT, fairseq, Marian, JoeyNMT, OpenNMT, nanoGPT, PyTorch Lightning.
const std::vector<Synonym>& synonyms() {
  static const std::vector<Synonym> table = {
      {{"learning_rate", "base_lr", "learn_rate"}, {"optim.lr"}},
      {{"max_grad_norm", "clip_norm", "gradient_clip_val"}, {"optim.grad_clip"}},
      {{"warmup_updates", "lr_warmup_steps", "warmup"}, {"schedule.warmup_steps"}},
      {{"warmup_ratio"}, {"schedule.warmup_steps"}, "; give the number of steps"},
      {{"num_epochs", "epochs", "num_train_epochs", "max_epoch"}, {"train.max_epochs"}},
      {{"train_steps", "max_update", "max_iters", "total_steps"}, {"train.max_steps"}},
      {{"batch_size", "per_device_train_batch_size", "micro_batch_size"}, {"train.micro_batch", "train.max_tokens"}},
      {{"gradient_accumulation_steps", "update_freq", "accum_count"},
       {},
       "accumulation is derived from 'train.global_batch_tokens'; remove this key"},
      {{"block_size", "max_seq_len", "sequence_length"}, {"data.seq_len"}},
      {{"lora_r", "r", "lora_rank"}, {"method.rank"}},
      {{"lora_alpha"}, {"method.alpha"}},
      {{"target_modules"}, {"method.targets"}},
      {{"n_layer", "layers", "enc_depth"}, {"model.num_layers", "model.encoder_layers"}},
      {{"n_head", "heads"}, {"model.num_heads"}},
      {{"n_embd", "dim", "d_model", "dim_emb"}, {"model.hidden_size"}},
      {{"ff_size", "transformer_ff", "dim_ffn"}, {"model.ffn_size"}},
      {{"output_dir", "out_dir", "save_dir", "model_dir"},
       {},
       "the run directory lies in 'out_root' and is named after 'name'; remove this key"},
      {{"save_steps", "save_interval"}, {"checkpoint.every"}},
      {{"eval_steps", "valid_freq", "validation_freq"}, {"eval.every"}},
      {{"logging_steps", "disp_freq", "log_interval"}, {"logging.every"}},
      {{"bf16", "fp16", "dtype"}, {"precision"}},
      {{"resume_from_checkpoint"}, {}, "resuming is a flag: --resume"},
      {{"random_seed"}, {"seed"}},
      {{"device_ids", "world_size", "nproc_per_node"}, {}, "the number of processes is a flag: --nproc"},
  };
  return table;
}

const Synonym* find_synonym(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  for (const Synonym& synonym : synonyms())
    if (std::find(synonym.written.begin(), synonym.written.end(), name) != synonym.written.end()) return &synonym;
  return nullptr;
}

bool knows(const Schema& schema, std::string_view path) { return schema.find(path) || schema.is_section(path); }

std::string section_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string synonym_hint(const std::string& path, const Schema& schema, bool full_path) {
  const Synonym* synonym = find_synonym(path.substr(path.rfind('.') + 1));
  if (!synonym) return {};
  if (synonym->targets.empty()) return std::string(synonym->advice);
  std::vector<std::string> names;
  for (const std::string_view target : synonym->targets) {
    if (target == path || !knows(schema, target)) continue;
    const std::string section = section_of(std::string(target));
    const bool short_form = !full_path && section == section_of(path);
    names.push_back("'" + std::string(short_form ? target.substr(target.rfind('.') + 1) : target) + "'");
  }
  if (names.empty()) return {};
  return "this key is called " + join(names, " or ") + " here" + std::string(synonym->advice);
}

/// "belongs under 'optim'", when the last part of the path is a key of other sections.
std::string section_hint(const std::string& path, const Schema& schema, bool full_path) {
  const std::string leaf = path.substr(path.rfind('.') + 1);
  std::vector<std::string> places;
  for (const Key& key : schema.keys()) {
    if (key.leaf() != leaf || key.path == path || places.size() == 3) continue;
    places.push_back(full_path ? "'" + key.path + "'" : "'" + key.section() + "'");
  }
  if (knows(schema, leaf)) return fmt::format("'{}' stands at the top level", leaf);
  for (const std::string& section : schema.sections())
    if (places.empty() && ends_with(section, "." + leaf)) return fmt::format("did you mean '{}'?", section);
  if (places.empty()) return {};
  return (full_path ? "did you mean " : "belongs under ") + join(places, " or ") + (full_path ? "?" : "");
}

}  // namespace

std::string hint_for_unknown_key(const std::string& path, const Schema& schema, bool on_command_line) {
  // A dotted key in a file is an override's spelling.
  if (!on_command_line && path.find("..") == std::string::npos && knows(schema, path)) {
    const std::string section = section_of(path);
    return fmt::format("write it in its section: '{}: {{{}: ...}}'", section, path.substr(section.size() + 1));
  }
  if (const std::string hint = synonym_hint(path, schema, on_command_line); !hint.empty()) return hint;
  const std::string section = section_of(path);
  const std::string leaf = path.substr(path.rfind('.') + 1);
  if (!on_command_line || schema.is_section(section) || section.empty()) {
    // A slip in this section is likelier than a key of another one, unless the other one has this very name.
    const auto nearest = did_you_mean(leaf, schema.names_in(section));
    if (const std::string hint = section_hint(path, schema, on_command_line); !hint.empty()) return hint;
    if (nearest) return fmt::format("did you mean '{}'?", on_command_line ? join_path(section, *nearest) : *nearest);
  }
  if (on_command_line) {
    const auto near_section = did_you_mean(section, schema.sections());
    if (near_section && schema.find(*near_section + "." + leaf))
      return fmt::format("did you mean '{}.{}'?", *near_section, leaf);
    if (const std::string hint = section_hint(path, schema, true); !hint.empty()) return hint;
    std::vector<std::string> paths;
    for (const Key& key : schema.keys()) paths.push_back(key.path);
    if (const auto nearest = did_you_mean(path, paths)) return fmt::format("did you mean '{}'?", *nearest);
  }
  std::vector<std::string> leaves;
  for (const Key& key : schema.keys()) leaves.push_back(key.leaf());
  if (const auto nearest = leaf.size() > 3 ? did_you_mean(leaf, leaves) : std::nullopt)
    for (const Key& key : schema.keys())
      if (key.leaf() == *nearest) return fmt::format("did you mean '{}'?", key.path);
  return {};
}

std::optional<std::string> key_meant_by(const std::string& name, const Schema& schema) {
  std::string plain = name;
  std::replace(plain.begin(), plain.end(), '-', '_');
  if (schema.find(plain)) return plain;
  if (const Synonym* synonym = find_synonym(plain.substr(plain.rfind('.') + 1)))
    for (const std::string_view target : synonym->targets)
      if (knows(schema, target)) return std::string(target);
  std::vector<std::string> leaves;
  for (const Key& key : schema.keys()) leaves.push_back(key.leaf());
  const auto nearest = did_you_mean(plain, leaves);
  for (const std::string& leaf : {plain, nearest.value_or(plain)}) {
    if (schema.find("optim." + leaf)) return "optim." + leaf;  // `--lr` means this one, not `method.lr`
    for (const Key& key : schema.keys())
      if (key.leaf() == leaf) return key.path;
  }
  return std::nullopt;
}

std::string hint_for_choice(const std::string& path, const std::string& value, const std::vector<std::string>& choices,
                            const std::function<std::optional<double>(const std::string& path)>& number) {
  const auto offers = [&](const std::string& choice) {
    return std::find(choices.begin(), choices.end(), choice) != choices.end();
  };
  if (path == "schedule.name" && value == "noam" && offers("inverse_sqrt")) {
    const auto width = number("model.hidden_size"), warmup = number("schedule.warmup_steps");
    std::string hint = "noam is 'inverse_sqrt' with optim.lr = factor * hidden_size^-0.5 * warmup_steps^-0.5";
    if (width && warmup && *width > 0 && *warmup > 0)
      hint += fmt::format(", here factor * {:.4e}", 1 / std::sqrt(*width * *warmup));
    return hint;
  }
  if (path == "optim.name" && value == "radam" && offers("riemannian_adam"))
    return "write 'riemannian_adam'; Rectified Adam is not offered";
  if (const auto nearest = did_you_mean(value, choices)) return fmt::format("did you mean '{}'?", *nearest);
  return {};
}

}  // namespace sst::recipe
