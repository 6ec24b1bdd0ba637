#!/usr/bin/env python3
"""GPT-2's byte-level BPE: sst_bench beside Hugging Face `tokenizers`, both on one thread, in MB per CPU second.

    ninja -C build/dev sst_bench
    python3 tests/bench/tokenizer_speed.py english_novels_train.txt.xz path/to/gpt2 [--install]

The text (plain or .xz) has documents with the line <|endoftext|> between; the folder holds vocab.json and merges.txt.
--install makes a virtual environment in build/tokenizers and installs `tokenizers` there from PyPI. Hugging Face gets
the text in four ways (documents whole or cut into paragraphs; encode_batch, encode_batch_fast), and its fastest
counts.
"""
import argparse
import hashlib
import json
import lzma
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "tokenizers"
VERSION = "0.23.3"
BETWEEN = "\n<|endoftext|>\n"


def install():
    if not (ENVIRONMENT / "bin" / "python").exists():
        venv.create(ENVIRONMENT, with_pip=True)
    command = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", f"tokenizers=={VERSION}"]
    subprocess.run(command, check=True, stdout=sys.stderr)


def measure_hugging_face(text_file, folder):
    import tokenizers

    tokenizer = tokenizers.ByteLevelBPETokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")._tokenizer
    text = pathlib.Path(text_file).read_bytes().decode()
    size = len(text.encode())
    documents = [document for document in text.split(BETWEEN) if document]
    batches = {
        "documents": [[document] for document in documents],
        "paragraphs": [[paragraph + "\n\n" for paragraph in document.split("\n\n")] for document in documents],
    }
    seconds = {}
    for parts, batch_list in batches.items():
        for verb in ("encode_batch", "encode_batch_fast"):
            start = time.process_time()
            for batch in batch_list:
                getattr(tokenizer, verb)(batch, add_special_tokens=False)
            seconds[f"{verb}, {parts}"] = time.process_time() - start
    rates = {name: size / taken / 1e6 for name, taken in seconds.items()}
    print(json.dumps({"version": tokenizers.__version__, "rates": rates}))


def run_hugging_face(text_file, folder):
    python = ENVIRONMENT / "bin" / "python"
    command = [python if python.exists() else sys.executable, __file__, "--hugging-face", text_file, folder]
    alone = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    answer = subprocess.run(command, env={**os.environ, **alone}, stdout=subprocess.PIPE)
    if answer.returncode != 0:
        sys.exit("tokenizer_speed: Hugging Face `tokenizers` did not run; --install installs it in build/tokenizers")
    return json.loads(answer.stdout)


def run_ours(text_file, folder, program, scratch):
    answer = scratch / "bench.json"
    filters = ["--benchmark_filter=encode/gpt2_bpe", f"--benchmark_out={answer}", "--benchmark_out_format=json"]
    files = {"SST_BENCH_TEXT": str(text_file), "SST_BENCH_GPT2": str(folder)}
    subprocess.run([program, *filters], env={**os.environ, **files}, check=True, stdout=sys.stderr)
    for run in json.loads(answer.read_text())["benchmarks"]:
        if "error_message" in run:
            sys.exit(f"tokenizer_speed: {run['error_message']}")
        if run.get("aggregate_name") == "median":
            nanoseconds = run["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[run["time_unit"]]
            return run["bytes"] / nanoseconds * 1e3
    sys.exit(f"tokenizer_speed: {program} reports no median of encode/gpt2_bpe")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/dev/tests/bench/sst_bench")
    parser.add_argument("--hugging-face", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hugging_face:
        return measure_hugging_face(arguments.text, arguments.folder)
    if arguments.install:
        install()
    with tempfile.TemporaryDirectory() as scratch:
        plain = arguments.text
        if plain.suffix == ".xz":
            plain = pathlib.Path(scratch) / "text.txt"
            plain.write_bytes(lzma.open(arguments.text).read())
        ours = run_ours(plain, arguments.folder, arguments.program, pathlib.Path(scratch))
        theirs = run_hugging_face(plain, arguments.folder)
    for name, rate in theirs["rates"].items():
        print(f"Hugging Face tokenizers {theirs['version']}, {name}: {rate:.2f} MB/s")
    best = max(theirs["rates"].values())
    print(f"sst-train: {ours:.2f} MB/s, {ours / best:.1f}x as fast as the fastest of these")


if __name__ == "__main__":
    main()
