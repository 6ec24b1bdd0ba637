"""Kills runs with SIGKILL at random, again and again, and looks at what is left: after every kill the newest checkpoint must
load, in the end the weights must be those of a run that nobody disturbed, and no file may be over. A run that ends before
its share of kills is reached is followed by another.

    python3 tests/end_to_end/soak/soak_test.py                                     12 kills, as the tests do
    SST_SOAK_KILLS=200 SST_SOAK_SECONDS=45 python3 tests/end_to_end/soak/soak_test.py      half an hour

Kills are spread over six runs: a language model, a translation model and a graph network, each with full rank and with SST.
SST_SOAK_SECONDS is about how long each of them takes undisturbed. The last lines are a table in Markdown. SST_TRAIN names the
program; the default is the one of `make dev`.
"""
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/support"))
from smoke_data import write_pairs, write_texts  # noqa: E402

PROGRAM = os.environ.get("SST_TRAIN", str(ROOT / "build/dev/apps/sst_train/sst-train"))
KILLS = int(os.environ.get("SST_SOAK_KILLS", "12"))
SECONDS = float(os.environ.get("SST_SOAK_SECONDS", "6"))
SEED = int(os.environ.get("SST_SOAK_SEED", "1"))

# Recipe, the key that says how long it trains, how much of that is a second of work, and how often it saves.
RUNS = [
    ("lm_full", "train.max_steps", "schedule.decay_steps", 180, 25),
    ("lm_sst", "train.max_steps", "schedule.decay_steps", 110, 20),
    ("mt_full", "train.max_steps", None, 60, 10),
    ("mt_sst", "train.max_steps", None, 45, 10),
    ("graph_nc_full", "train.max_epochs", None, 260, 30),
    ("graph_nc_sst", "train.max_epochs", None, 150, 25),
]


@dataclasses.dataclass
class Outcome:
    recipe: str
    undisturbed_s: float = 0
    kills: int = 0
    rounds: int = 0
    before_first_save: int = 0
    attempts_s: float = 0


class Soak(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sst-soak-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        write_texts(self.folder)
        write_pairs(self.folder)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SST_")}
        self.environment["OMP_NUM_THREADS"] = "1"

    def start(self, *words):
        return subprocess.Popen([PROGRAM, *map(str, words)], cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run_command(self, *words, code=0):
        process = self.start(*words)
        output = process.communicate()[0]
        self.assertEqual(process.returncode, code, output[-2000:])
        return output

    def files(self, run):
        """Everything in the run directory but the numbers of attempts and the events of TensorBoard, one for each."""
        folder = self.folder / run
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.relative_to(folder).parts[0] != "tb"}

    def check_loadable(self, outcome):
        checkpoints = self.folder / "cut/checkpoints"
        if not any(checkpoints.glob("step-*")):
            outcome.before_first_save += 1
            return
        self.run_command("inspect", "cut/checkpoints/last" if (checkpoints / "last").exists() else "cut")

    def soak(self, recipe, length, horizon, per_second, every, kills, generator):
        shutil.rmtree(self.folder / "whole", ignore_errors=True)
        steps = int(per_second * SECONDS)
        words = [ROOT / f"recipes/smoke/{recipe}.yaml", f"{length}={steps}",
                 f"checkpoint.every={every}" + ("epoch" if "epochs" in length else ""), "eval.every=off"]
        if horizon:
            words.append(f"{horizon}={steps}")
        outcome = Outcome(recipe)
        start = time.monotonic()
        self.run_command(*words, "--out", "whole")
        outcome.undisturbed_s = time.monotonic() - start
        longest = min(5.0, 0.7 * outcome.undisturbed_s)
        start = time.monotonic()
        while outcome.kills < kills:  # a run that outran its kills is followed by another
            shutil.rmtree(self.folder / "cut", ignore_errors=True)
            outcome.rounds += 1
            while outcome.kills < kills:
                process = self.start(*words, "--out", "cut")
                try:
                    process.wait(timeout=generator.uniform(min(1.0, longest / 3), longest))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
                    outcome.kills += 1
                    self.check_loadable(outcome)
                    continue
                self.assertEqual(process.returncode, 0, process.communicate()[0][-2000:])
                break
            self.run_command(*words, "--out", "cut")
            self.assertIn("equal bit for bit", self.run_command("inspect", "whole", "--diff", "cut"))
            self.assertEqual(self.files("whole"), self.files("cut"))
        outcome.attempts_s = time.monotonic() - start
        return outcome

    def test_kills(self):
        generator = random.Random(SEED)
        outcomes = []
        for index, (recipe, length, horizon, per_second, every) in enumerate(RUNS):
            share = KILLS * (index + 1) // len(RUNS) - KILLS * index // len(RUNS)
            with self.subTest(recipe=recipe):
                outcomes.append(self.soak(recipe, length, horizon, per_second, every, share, generator))
                print(f"{recipe}: {outcomes[-1].kills} kills", file=sys.stderr, flush=True)
        print("\n| run | undisturbed | kills | of them before the first save | runs finished | with the kills | weights |\n"
              "|---|---:|---:|---:|---:|---:|---|")
        for one in outcomes:
            print(f"| `{one.recipe}` | {one.undisturbed_s:.0f} s | {one.kills} | {one.before_first_save} | "
                  f"{one.rounds} | {one.attempts_s:.0f} s | equal |")
        self.assertEqual(sum(one.kills for one in outcomes), KILLS)


if __name__ == "__main__":
    unittest.main()
