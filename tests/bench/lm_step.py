#!/usr/bin/env python3
"""A training step of OPT-125M on 2 x 512 tokens (forward, backward, clipping, AdamW): sst_bench beside Hugging Face
transformers, eager, and PEFT's LoRA of rank 64 on the six maps of a block; tokens/s, peak memory, time split.

    ninja -C build/dev sst_bench
    python3 tests/bench/lm_step.py --install [--precision fp32 bf16] [--threads 2]

--install makes a virtual environment in build/peers and installs torch, transformers and peft there. Each line is a
process of its own; ours and the peer's take turns. bf16 is a gain only where the processor has bfloat16 instructions.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import peers

SEQUENCES, LENGTH, STEPS = 2, 512, 6
MAPS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


def measure_transformers(method, precision):
    import torch
    import transformers

    torch.manual_seed(1)
    model = transformers.OPTForCausalLM(transformers.OPTConfig(dropout=0.0))
    if method == "lora":
        import peft

        model = peft.get_peft_model(model, peft.LoraConfig(r=64, lora_alpha=64, target_modules=MAPS))
        for name, parameter in model.named_parameters():
            if "embed" in name or "layer_norm" in name or (name.endswith(".bias") and "lora" not in name):
                parameter.requires_grad_(True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    seconds = []
    for _ in range(STEPS + 1):
        ids = torch.randint(0, 256, (SEQUENCES, LENGTH))
        start = time.monotonic()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.monotonic() - start)
    print(json.dumps({"median": statistics.median(seconds[1:]), "version": transformers.__version__}))


def run_ours(program, method, precision, threads):
    name = f"lm_step/opt-125m/{'bf16_mixed' if precision == 'bf16' else 'fp32'}/{method}"
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch) / "bench.json"
        _, _, peak = peers.run([program, f"--benchmark_filter=^{name}/", f"--benchmark_out={answer}",
                                "--benchmark_out_format=json"], threads)
        for run in json.loads(answer.read_text())["benchmarks"]:
            if "error_message" in run:
                sys.exit(f"lm_step: {run['error_message']}")
            if run.get("aggregate_name") == "median":
                seconds = run["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]]
                parts = [run[f"{part}_s"] for part in ("forward_and_output_layer", "backward", "update")]
                return seconds, peak, " / ".join(f"{part:.2f}" for part in parts)
    sys.exit(f"lm_step: {program} reports nothing of {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/tests/bench/sst_bench")
    parser.add_argument("--peer", nargs=2, metavar=("METHOD", "PRECISION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return measure_transformers(*arguments.peer)
    python, tokens = peers.python(arguments.install), SEQUENCES * LENGTH
    print("| precision | method | by | tokens/s | peak GB | s forward + output layer / backward / update | ratio |\n"
          "|---|---|---|---:|---:|---|---:|")
    for precision in arguments.precision:
        full = None
        for method in ("full", "lora", "sst"):
            seconds, peak, parts = run_ours(arguments.program, method, precision, arguments.threads)
            full = full or seconds
            ratio = "" if method == "full" else f"{seconds / full:.2f} of full rank's time"
            theirs = None
            if method != "sst":
                command = [python, __file__, "--peer", method, precision]
                output, _, their_peak = peers.run(command, arguments.threads)
                theirs = json.loads(output.splitlines()[-1])
                ratio = ", ".join(filter(None, [ratio, f"{theirs['median'] / seconds:.2f}x the peer's tokens/s"]))
            print(f"| {precision} | {method} | sst-train | {tokens / seconds:.0f} | {peak:.2f} | {parts} | {ratio} |")
            if theirs:
                print(f"| {precision} | {method} | transformers {theirs['version']} | {tokens / theirs['median']:.0f} "
                      f"| {their_peak:.2f} | | |", flush=True)


if __name__ == "__main__":
    main()
