#!/usr/bin/env python3
"""One process with two threads beside two processes with one thread each, on a recipe of a language model: seconds a step,
and how much of the exchange of gradients is hidden behind the backward pass.

    ninja -C build/dev sst-train
    python3 tests/bench/scaling.py --data DATA_ROOT --install [--recipe recipes/lm/lm_small.yaml] [--steps 30]

Four things are measured in turns: (a) one process, two threads; (b) two processes, one thread each (--nproc 2); (c) two
runs side by side that know nothing of each other, each with half of the step: (b) without any exchange; (d) the
all-reduce alone, of as many bytes between two processes, by PyTorch's Gloo. What is hidden is 1 - ((b) - (c)) / (d).
--install makes a virtual environment with torch in build/peers for (d).

--link 1gbit does all of it in a network of its own whose loopback carries that much and no more, as a wire between two
machines would: then the exchange waits and needs no core, and what is hidden is seen. Needs root, unshare, ip and tc.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import peers

ALL_REDUCE = """
import os, statistics, sys, time
import torch, torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo", rank=int(sys.argv[1]), world_size=2, init_method="file://" + sys.argv[2])
gradients, seconds = torch.randn(int(sys.argv[3])), []
for _ in range(12):
    dist.barrier()
    start = time.monotonic()
    dist.all_reduce(gradients)
    seconds.append(time.monotonic() - start)
print(statistics.median(seconds[2:]))
"""


def in_network(link):
    """Starts this program again where the loopback is a slow wire."""
    script = ('ip link set lo up && tc qdisc add dev lo root tbf rate "$0" burst 256kb latency 10s && '
              'SCALING_LINK="$0" exec "$@"')
    os.execvp("unshare", ["unshare", "--net", "bash", "-c", script, link, sys.executable, *sys.argv])


def start(program, words, folder, threads):
    return subprocess.Popen([program, "train", *words, "--out", folder, "--quiet"],
                            env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": str(threads)}, stdout=subprocess.DEVNULL)


def step_seconds(folder, warm_up=5):
    """The median time between the lines of two steps."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    times = [datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
             for line in lines if line["kind"] == "train"]
    return statistics.median((b - a).total_seconds() for a, b in zip(times[warm_up:], times[warm_up + 1:]))


def measure(program, words, threads, copies=1):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scaling-"))
    try:
        children = [start(program, words, folder / str(copy), threads) for copy in range(copies)]
        if any([child.wait() != 0 for child in children]):
            raise SystemExit("scaling: a run failed")
        return max(step_seconds(folder / str(copy)) for copy in range(copies))
    finally:
        shutil.rmtree(folder)


def all_reduce_seconds(python, numbers):
    with tempfile.TemporaryDirectory() as folder:
        children = [subprocess.Popen([python, "-c", ALL_REDUCE, str(rank), f"{folder}/store", str(numbers)],
                                     env=os.environ | {"GLOO_SOCKET_IFNAME": "lo"}, stdout=subprocess.PIPE, text=True)
                    for rank in range(2)]
        answers = [child.communicate()[0] for child in reversed(children)]
        if any(child.returncode != 0 for child in children):
            raise SystemExit("scaling: the all-reduce alone failed; --install makes the environment that it needs")
        return max(map(float, answers))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/apps/sst_train/sst-train")
    parser.add_argument("--recipe", default=str(peers.ROOT / "recipes/lm/lm_small.yaml"))
    parser.add_argument("--data", required=True, help="data_root")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--link", help="rate of the wire, as tc(8) writes it: 1gbit")
    arguments = parser.parse_args()
    if arguments.link and os.environ.get("SCALING_LINK") != arguments.link:
        peers.python(arguments.install, packages=["torch==2.13.0", "numpy"])  # there is no network inside
        in_network(arguments.link)
    python = peers.python(arguments.install, packages=["torch==2.13.0", "numpy"])
    words = [arguments.recipe, f"data_root={arguments.data}", "sweep=null", "eval.every=off", "logging.every=1",
             f"checkpoint.every={10 ** 6}", "checkpoint.keep_best=0", f"train.max_steps={arguments.steps}",
             "schedule.name=constant", "schedule.warmup_steps=0"]
    shown = json.loads(subprocess.run([arguments.program, "show", *words, "--json"], check=True, text=True,
                                      stdout=subprocess.PIPE).stdout)
    tokens = shown["train.global_batch_tokens"]
    estimate = json.loads(subprocess.run([arguments.program, "estimate", *words, "--json"], check=True, text=True,
                                         stdout=subprocess.PIPE).stdout)
    numbers = estimate["parameters"]["trainable"]
    times = {letter: [] for letter in "abcd"}
    for _ in range(arguments.repeats):
        times["a"].append(measure(arguments.program, words, 2))
        times["b"].append(measure(arguments.program, [*words, "--nproc", "2"], 1))
        times["c"].append(measure(arguments.program, [*words, f"train.global_batch_tokens={tokens // 2}"], 1, copies=2))
        times["d"].append(all_reduce_seconds(python, numbers))
    a, b, c, d = (statistics.median(times[letter]) for letter in "abcd")
    print("| | a step | tokens/s |\n|---|---:|---:|\n"
          f"| one process, two threads | {a * 1e3:.0f} ms | {tokens / a:.0f} |\n"
          f"| two processes, one thread each | {b * 1e3:.0f} ms | {tokens / b:.0f} |\n"
          f"| the same without exchange | {c * 1e3:.0f} ms | {tokens / c:.0f} |\n"
          f"| all-reduce of {numbers * 4 / 1e6:.1f} MB alone | {d * 1e3:.0f} ms | |\n\n"
          f"Two processes take {b / a:.2f} of the time of one; {1 - (b - c) / d:.0%} of the exchange is hidden.")


if __name__ == "__main__":
    main()
