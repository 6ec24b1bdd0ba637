#!/usr/bin/env python3
"""Scores of 100,000 translations: `sst-train score` beside sacreBLEU 2.6, in seconds of CPU time.

    ninja -C build/dev sst-train
    python3 tests/bench/score_speed.py data/multi30k/train.de [--install]

References are the file's lines, repeated up to --sentences; translations are the same with some words dropped, doubled
or swapped. --install makes a virtual environment in build/sacrebleu and installs sacreBLEU there from PyPI. Ours is the
whole program with reading and, for LibTorch, 0.1 s or more of loading; sacreBLEU's time is that of its calls alone. The
scores must agree.
"""
import argparse
import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "sacrebleu"
VERSION = "2.6.0"
METRICS = ("bleu", "chrf", "chrf++")
SAMPLES = 1000


def install():
    if not (ENVIRONMENT / "bin" / "python").exists():
        venv.create(ENVIRONMENT, with_pip=True)
    subprocess.run([ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", f"sacrebleu=={VERSION}"],
                   check=True, stdout=sys.stderr)


def disturbed(line, draw):
    words = []
    for word in line.split(" "):
        chance = draw.random()
        if chance < 0.1:
            continue
        words += [word] * (2 if chance > 0.95 else 1)
        if 0.1 <= chance < 0.2 and len(words) > 1:
            words[-1], words[-2] = words[-2], words[-1]
    return " ".join(words)


def write_texts(source, sentences, scratch):
    lines = source.read_text(encoding="utf-8").split("\n")[:-1]
    references = [lines[i % len(lines)] for i in range(sentences)]
    draw = random.Random(1)
    for name, texts in (("ref", references), ("hyp", [disturbed(line, draw) for line in references])):
        (scratch / name).write_text("".join(line + "\n" for line in texts), encoding="utf-8")


def measure_sacrebleu(scratch):
    from sacrebleu.metrics import BLEU, CHRF

    def lines(name):
        return (pathlib.Path(scratch) / name).read_text(encoding="utf-8").split("\n")[:-1]

    hypotheses, references = lines("hyp"), [lines("ref")]
    results = {}
    for name, metric in zip(METRICS, (BLEU(), CHRF(), CHRF(word_order=2))):
        start = time.process_time()
        score = metric.corpus_score(hypotheses, references).score
        results[name] = {"score": score, "seconds": time.process_time() - start}
    start = time.process_time()
    score = BLEU().corpus_score(hypotheses, references, n_bootstrap=SAMPLES)
    results["bleu, bootstrap"] = {"score": score.score, "seconds": time.process_time() - start, "mean": score._mean}
    print(json.dumps(results))


def run_sacrebleu(scratch):
    python = ENVIRONMENT / "bin" / "python"
    command = [python if python.exists() else sys.executable, __file__, "--sacrebleu", scratch]
    answer = subprocess.run(command, stdout=subprocess.PIPE)
    if answer.returncode != 0:
        sys.exit("score_speed: sacreBLEU did not run; --install installs it in build/sacrebleu")
    return json.loads(answer.stdout)


def run_ours(program, scratch, *options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program, "score", "--hyp", scratch / "hyp", "--ref", scratch / "ref", "--json", *options]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(answer.stdout)["scores"][0], "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=pathlib.Path, nargs="?")
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/dev/apps/sst_train/sst-train")
    parser.add_argument("--sacrebleu", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sacrebleu:
        return measure_sacrebleu(arguments.sacrebleu)
    if arguments.text is None:
        parser.error("name a file of sentences")
    if arguments.install:
        install()
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        write_texts(arguments.text, arguments.sentences, scratch)
        ours = {name: run_ours(arguments.program, scratch, "--metrics", name) for name in METRICS}
        ours["bleu, bootstrap"] = run_ours(arguments.program, scratch, "--bootstrap", str(SAMPLES))
        theirs = run_sacrebleu(scratch)
    for name, peer in theirs.items():
        own = ours[name]
        if abs(own["score"] - peer["score"]) > 1e-6 or abs(own.get("confidence_mean", 0) - peer.get("mean", 0)) > 1e-3:
            sys.exit(f"score_speed: {name} differs: {own} and {peer}")
        print(f"{name}: {own['seconds']:.2f} s, sacreBLEU {peer['seconds']:.2f} s, "
              f"{peer['seconds'] / own['seconds']:.0f}x as fast; score {own['score']:.4f}")


if __name__ == "__main__":
    main()
