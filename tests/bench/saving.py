#!/usr/bin/env python3
"""What saving costs OPT-125M's training (2 x 512 tokens a step, full rank, AdamW): the same steps with and without saves, in
turns, with checkpoint.async and without.

    ninja -C build/dev sst-train
    python3 tests/bench/saving.py [--steps 15] [--every 4] [--repeats 2] [--threads 2]

The share is of 100 steps with one save. The text is made, the tokenizer that of bytes: a step costs what it always does.
"""
import argparse
import datetime
import json
import pathlib
import random
import shutil
import statistics
import tempfile

import peers

WARM_UP = 2


def recipe(folder, steps):
    letters = random.Random(1)
    for name in ("train", "valid"):
        (folder / f"{name}.txt").write_bytes(bytes(letters.choices(range(32, 127), k=4096 * steps)))
    return ["builtin:lm/opt_125m", f"data_root={folder}",
            "data={format: text, train: train.txt, valid: valid.txt, seq_len: 512}", "data.valid_fraction=null",
            "tokenizer.type=bytes", "tokenizer.model=null", "method={name: full}",
            "train.global_batch_tokens=1024", "train.recompute=none", "precision=fp32",
            f"train.max_steps={steps}", "eval.every=off", "checkpoint.keep_best=0", "schedule.warmup_steps=0",
            "logging.every=1", "sweep=null"]


def seconds_of_steps(program, words, threads):
    """Wall seconds from the end of the warm-up to that of the last step, as metrics.jsonl dates them; saves after steps
    before the last one lie between."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="saving-"))
    try:
        peers.run([program, "train", *words, "--out", folder / "run", "--quiet"], threads)
        lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
        times = [datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
                 for line in lines if line["kind"] == "train"]
        size = sum(file.stat().st_size for file in (folder / "run/checkpoints").rglob("*.safetensors"))
        return (times[-1] - times[WARM_UP - 1]).total_seconds(), size
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/apps/sst_train/sst-train")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    counted = arguments.steps - WARM_UP
    # The last one before the end has to be done by then: what it takes of the steps after it counts.
    saves = sum(1 for step in range(WARM_UP, arguments.steps) if step % arguments.every == 0)
    if saves == 0 or (arguments.steps - 1) // arguments.every * arguments.every > arguments.steps - 3:
        parser.error("--steps has to leave a save before its end, and three steps after it")
    ways = {"without saves": [f"checkpoint.every={10 ** 6}"],
            "checkpoint.async: true": [f"checkpoint.every={arguments.every}", "checkpoint.async=true"],
            "checkpoint.async: false": [f"checkpoint.every={arguments.every}", "checkpoint.async=false"]}
    times, size = {way: [] for way in ways}, 0
    with tempfile.TemporaryDirectory() as folder:
        words = recipe(pathlib.Path(folder), arguments.steps)
        for _ in range(arguments.repeats):
            for way, more in ways.items():
                seconds, size = seconds_of_steps(arguments.program, [*words, *more], arguments.threads)
                times[way].append(seconds)
    base = statistics.median(times["without saves"])
    print(f"a checkpoint is {size / 2e9:.2f} GB\n"        # the last two are kept
          "| | a step | a save | share of 100 steps with one save |\n|---|---:|---:|---:|")
    for way, seconds in times.items():
        median = statistics.median(seconds)
        cost = (median - base) / saves
        share = "" if way == "without saves" else f"{cost / (100 * base / counted):.2%}"
        print(f"| {way} | {median / counted:.2f} s | {'' if not share else f'{cost:.2f} s'} | {share} |")


if __name__ == "__main__":
    main()
