"""Real launchers start real runs: torchrun, Open MPI's mpirun and a Slurm of one node. Each is skipped where it is not
installed: torchrun comes with the LibTorch that cmake/setup.sh unpacks, mpirun with Debian's openmpi-bin, Slurm with slurm-wlm
and munge; its daemons need root.

    SST_TRAIN=build/dev/apps/sst_train/sst-train python3 -m unittest discover -v -s tests/launchers -p '*_test.py'

The case in which Slurm requeues a job takes six to ten minutes (Slurm's limits count in minutes, and a job that was requeued
waits for two), and runs only with SST_TEST_SLURM=1.
"""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(pathlib.Path(__file__).parent)]
from smoke_data import write_texts  # noqa: E402
from slurm import one_node_slurm  # noqa: E402

PROGRAM = str(pathlib.Path(os.environ.get("SST_TRAIN", ROOT / "build/dev/apps/sst_train/sst-train")).resolve())
RECIPE = str(ROOT / "recipes/smoke/lm_full.yaml")
SECONDS_REQUEUED = 100  # that a run trains which shall be requeued: Slurm warns after 20 to 30 of them
PLACES_OF_TORCHRUN = [ROOT / ".deps", *ROOT.glob("build/peers/lib/python3*/site-packages")]


@functools.cache
def torchrun():
    """(command, environment) of torchrun: one that is installed, or that of the PyTorch package which the set-up or a bench
    has put below this checkout. None where there is none."""
    if installed := shutil.which("torchrun"):
        return [installed], {}
    for place in PLACES_OF_TORCHRUN:
        command, environment = [sys.executable, "-m", "torch.distributed.run"], {"PYTHONPATH": str(place)}
        if subprocess.run([*command, "--help"], env=os.environ | environment, capture_output=True).returncode == 0:
            return command, environment
    return None


class LauncherCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sst-launchers-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        write_texts(self.folder)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SST_", "SLURM_", "OMPI_", "PMI"))} | {"OMP_NUM_THREADS": "1"}

    def run_command(self, *words, code=0, **more):
        done = subprocess.run([str(word) for word in words], cwd=self.folder, env=self.environment | more,
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def check_equal(self, run, processes):
        """The run ended as one that the program started itself did, bit for bit."""
        self.run_command(PROGRAM, RECIPE, "--nproc", processes, "--out", "own")
        self.assertIn("equal bit for bit", self.run_command(PROGRAM, "inspect", "own", "--diff", run))


    def check_two_and_four(self, launch):
        """launch(processes): the words that start what follows them so many times, and their variables."""
        for processes in (2, 4):
            with self.subTest(processes=processes):
                shutil.rmtree(self.folder / "own", ignore_errors=True)
                run = f"run{processes}"
                words, variables = launch(processes)
                self.run_command(*words, PROGRAM, RECIPE, "--out", run, **variables)
                self.check_equal(run, processes)


class Torchrun(LauncherCase):
    @unittest.skipUnless(torchrun(), "torchrun is not installed, and no PyTorch lies in .deps (make deps test-deps)")
    def test_two_and_four_processes(self):
        command, variables = torchrun()
        self.check_two_and_four(lambda n: ([*command, "--no-python", f"--nproc-per-node={n}"], variables))


class Mpirun(LauncherCase):
    @unittest.skipUnless(shutil.which("mpirun"), "mpirun is not installed (openmpi-bin)")
    def test_two_and_four_processes(self):
        self.check_two_and_four(lambda n: (["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", n], {}))


@unittest.skipUnless(shutil.which("slurmctld") and shutil.which("munged"), "Slurm is not installed (slurm-wlm, munge)")
@unittest.skipUnless(os.geteuid() == 0, "Slurm's daemons need root")
class Slurm(LauncherCase):
    def test_two_and_four_processes(self):
        with one_node_slurm() as slurm:
            # The node has two CPUs.
            self.check_two_and_four(lambda n: (["srun", "--overcommit", "-n", n], slurm))

    @unittest.skipUnless(os.environ.get("SST_TEST_SLURM"), "minutes of Slurm's waiting: SST_TEST_SLURM=1 is not set")
    def test_the_printed_script_is_warned_requeued_twice_and_finishes(self):
        settings = ["eval.every=off", "checkpoint.every=off", "logging.every=1000"]
        tried = 1000
        start = time.monotonic()
        self.run_command(PROGRAM, RECIPE, "--nproc", 2, *settings, f"train.max_steps={tried}", "--out", "tried")
        settings.append(f"train.max_steps={int(tried * SECONDS_REQUEUED / (time.monotonic() - start))}")
        self.run_command(PROGRAM, RECIPE, "--nproc", 2, *settings, "--out", "own")
        script = self.run_command(PROGRAM, "slurm", RECIPE, *settings, "--tasks", 2, "--cpus", 1, "--time", 1, "--warning",
                                  30, "--out", "run", "--quiet")
        (self.folder / "job.sbatch").write_text(script)
        with one_node_slurm() as slurm:
            self.run_command("sbatch", "job.sbatch", **slurm)
            for _ in range(1200):
                if (self.folder / "run/DONE").exists():
                    break
                time.sleep(1)
        log = "".join(path.read_text() for path in self.folder.glob("*.log"))
        self.assertTrue((self.folder / "run/DONE").exists(), log)
        attempts = json.loads((self.folder / "run/run.json").read_text())["attempts"]
        self.assertGreaterEqual([attempt["reason"] for attempt in attempts].count("SIGUSR1"), 2, log)
        self.assertGreaterEqual(log.count("resuming step"), 2, log)
        self.assertIn("equal bit for bit", self.run_command(PROGRAM, "inspect", "own", "--diff", "run"))


if __name__ == "__main__":
    unittest.main()
