#!/usr/bin/env python3
"""A training step of OPT-125M on 2 x 512 tokens (forward, backward, clipping, AdamW): sst_bench beside Hugging Face
transformers, eager, and PEFT's LoRA of rank 64 on the six maps of a block; tokens/s, peak memory, time split.

    ninja -C build/dev sst_bench
    python3 tests/bench/lm_step.py --install [--precision fp32 bf16] [--threads 2] [--methods full lora galore sst …]

--install makes a virtual environment in build/peers and installs torch, transformers and peft there. Each line is a
process of its own; ours and the peer's take turns. bf16 is a gain only where the processor has bfloat16 instructions.
--device cuda measures 16 x 1024 tokens on a GPU, whose memory is then the one that counts.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import peers

STEPS = 6
SIZES = {"cpu": (2, 512), "cuda": (16, 1024)}
MAPS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


def measure_transformers(method, precision, device):
    import torch
    import transformers

    torch.manual_seed(1)
    model = transformers.OPTForCausalLM(transformers.OPTConfig(dropout=0.0, attn_implementation="sdpa"))
    if method == "lora":
        import peft

        model = peft.get_peft_model(model, peft.LoraConfig(r=64, lora_alpha=64, target_modules=MAPS))
        for name, parameter in model.named_parameters():
            if "embed" in name or "layer_norm" in name or (name.endswith(".bias") and "lora" not in name):
                parameter.requires_grad_(True)
    model.to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    seconds = []
    warm_up = 1 if device == "cpu" else 5
    for _ in range(STEPS + warm_up):
        ids = torch.randint(0, 256, SIZES[device]).to(device)
        start = time.monotonic()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - start)
    peak = None if device == "cpu" else torch.cuda.max_memory_reserved() / 1e9
    median = statistics.median(seconds[warm_up:])
    print(json.dumps({"median": median, "version": transformers.__version__, "peak": peak}))


def run_ours(program, method, precision, threads, device):
    name = f"lm_step/opt-125m/{'bf16_mixed' if precision == 'bf16' else 'fp32'}/{method}"
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch) / "bench.json"
        _, _, peak = peers.run([program, f"--benchmark_filter=^{name}/", f"--benchmark_out={answer}",
                                "--benchmark_out_format=json"], threads, {"SST_BENCH_DEVICE": device})
        for run in json.loads(answer.read_text())["benchmarks"]:
            if "error_message" in run:
                sys.exit(f"lm_step: {run['error_message']}")
            if run.get("aggregate_name") == "median":
                seconds = run["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]]
                parts = [run[f"{part}_s"] for part in ("forward_and_output_layer", "backward", "update")]
                peak = run["peak_bytes"] / 1e9 if "peak_bytes" in run else peak
                return seconds, peak, " / ".join(f"{part:.3g}" for part in parts)
    sys.exit(f"lm_step: {program} reports nothing of {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32"])
    parser.add_argument("--methods", nargs="+", default=["full", "lora", "sst"])
    parser.add_argument("--device", choices=SIZES, default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/tests/bench/sst_bench")
    parser.add_argument("--peer", nargs=2, metavar=("METHOD", "PRECISION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return measure_transformers(*arguments.peer, arguments.device)
    sequences, length = SIZES[arguments.device]
    python, tokens = peers.python(arguments.install), sequences * length
    print("| precision | method | by | tokens/s | peak GB | s forward + output layer / backward / update | ratio |\n"
          "|---|---|---|---:|---:|---|---:|")
    for precision in arguments.precision:
        full = None
        for method in arguments.methods:
            seconds, peak, parts = run_ours(arguments.program, method, precision, arguments.threads, arguments.device)
            full = full or seconds
            ratio = "" if method == "full" else f"{seconds / full:.2f} of full rank's time"
            theirs = None
            if method in ("full", "lora"):
                command = [python, __file__, "--peer", method, precision, "--device", arguments.device]
                output, _, their_peak = peers.run(command, arguments.threads)
                theirs = json.loads(output.splitlines()[-1])
                their_peak = theirs["peak"] or their_peak
                ratio = ", ".join(filter(None, [ratio, f"{theirs['median'] / seconds:.2f}x the peer's tokens/s"]))
            print(f"| {precision} | {method} | sst-train | {tokens / seconds:.0f} | {peak:.2f} | {parts} | {ratio} |")
            if theirs:
                print(f"| {precision} | {method} | transformers {theirs['version']} | {tokens / theirs['median']:.0f} "
                      f"| {their_peak:.2f} | | |", flush=True)


if __name__ == "__main__":
    main()
