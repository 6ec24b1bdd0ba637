"""Loads model folders with Hugging Face's transformers and compares their logits with ours.

    python transformers_check.py FOLDER...

Each FOLDER is an exported model with one more file, check.safetensors: `ids`, and the `logits` that we computed.
Prints a line for each and fails when one differs by more than rounding, or when a tensor was not found in the folder.
"""

import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

TOLERANCE = 5e-5


def check(folder):
    """folder: path of a model folder. Returns what is wrong with it, or None."""
    model, notes = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {key: notes[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if notes.get(key)}
    if wrong:
        return str(wrong)
    reference = load_file(f"{folder}/check.safetensors")
    with torch.no_grad():
        difference = (model.eval()(reference["ids"]).logits - reference["logits"]).abs().max().item()
    print(f"{folder}: {model.config.model_type}, largest difference of a logit {difference:.2e}")
    return None if difference < TOLERANCE else f"logits differ by {difference}"


def main():
    wrong = {folder: reason for folder in sys.argv[1:] if (reason := check(folder))}
    for folder, reason in wrong.items():
        print(f"{folder}: {reason}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
