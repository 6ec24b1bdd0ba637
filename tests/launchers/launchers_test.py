"""Real launchers start real runs: torchrun, Open MPI's mpirun and a Slurm of one node. Each is skipped where it is not
installed: torchrun comes with PyTorch (pip install torch), mpirun with Debian's openmpi-bin, Slurm with slurm-wlm and munge.

    SST_TRAIN=build/dev/apps/sst_train/sst-train python3 -m unittest discover -s tests/launchers -p '*_test.py'

Slurm's case takes several minutes (its limits count in minutes, and a job that was requeued waits), needs root, and runs only
with SST_TEST_SLURM=1.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from smoke_data import write_texts  # noqa: E402

PROGRAM = os.environ.get("SST_TRAIN", str(ROOT / "build/dev/apps/sst_train/sst-train"))
RECIPE = str(ROOT / "recipes/smoke/lm_full.yaml")
PEERS = ROOT / "build/peers/bin"


def found(name):
    return shutil.which(name) or (str(PEERS / name) if (PEERS / name).exists() else None)


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


class Torchrun(LauncherCase):
    @unittest.skipUnless(found("torchrun"), "torchrun is not installed")
    def test_two_and_four_processes(self):
        for processes in (2, 4):
            with self.subTest(processes=processes):
                shutil.rmtree(self.folder / "own", ignore_errors=True)
                self.run_command(found("torchrun"), "--no-python", f"--nproc-per-node={processes}", PROGRAM, RECIPE,
                                 "--out", f"run{processes}")
                self.check_equal(f"run{processes}", processes)


class Mpirun(LauncherCase):
    @unittest.skipUnless(found("mpirun"), "mpirun is not installed")
    def test_two_and_four_processes(self):
        for processes in (2, 4):
            with self.subTest(processes=processes):
                shutil.rmtree(self.folder / "own", ignore_errors=True)
                self.run_command("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", processes, PROGRAM, RECIPE,
                                 "--out", f"run{processes}")
                self.check_equal(f"run{processes}", processes)


SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={port}
SlurmdPort={next_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
ReturnToService=2
SchedulerParameters=sched_interval=5,sched_min_interval=1000000
MpiDefault=none
NodeName={host} CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def one_node_slurm():
    """The environment in which sbatch and srun talk to a Slurm of this machine alone."""
    with tempfile.TemporaryDirectory(prefix="sst-slurm-") as name:
        folder, host = pathlib.Path(name), socket.gethostname().split(".")[0]
        folder.chmod(0o755)
        munge = pwd.getpwnam("munge")
        for path in ("munge", "state", "spool"):
            (folder / path).mkdir()
        key = folder / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        for path in (folder / "munge", key):
            os.chown(path, munge.pw_uid, munge.pw_gid)
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        conf = folder / "slurm.conf"
        conf.write_text(SLURM_CONF.format(folder=folder, host=host, port=port, next_port=port + 1))
        environment = {"SLURM_CONF": str(conf)}
        daemons = []
        try:
            os.chown(folder, munge.pw_uid, munge.pw_gid)
            start = ["setpriv", f"--reuid={munge.pw_uid}", f"--regid={munge.pw_gid}", "--clear-groups", "munged", "-F",
                     "--force", f"--key-file={key}", f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge/pid",
                     f"--log-file={folder}/munge/log", f"--seed-file={folder}/munge/seed"]
            daemons.append(subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(1)
            for daemon in ("slurmctld", "slurmd"):
                with open(folder / f"{daemon}.log", "w") as log:
                    daemons.append(subprocess.Popen([daemon, "-D", "-f", str(conf)], stdout=log, stderr=log,
                                                    env=os.environ | environment))
                time.sleep(2)
            yield environment
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
            for daemon in daemons:
                daemon.wait(20)


class Slurm(LauncherCase):
    @unittest.skipUnless(os.environ.get("SST_TEST_SLURM"), "SST_TEST_SLURM=1 is not set")
    @unittest.skipUnless(shutil.which("slurmctld") and shutil.which("munged"), "slurm-wlm or munge is not installed")
    @unittest.skipUnless(os.geteuid() == 0, "Slurm's daemons need root")
    def test_the_printed_script_is_warned_requeued_and_finishes(self):
        settings = ["train.max_steps=12000", "eval.every=off", "checkpoint.every=off", "logging.every=1000"]
        self.run_command(PROGRAM, RECIPE, "--nproc", 2, *settings, "--out", "own")
        script = self.run_command(PROGRAM, "slurm", RECIPE, *settings, "--tasks", 2, "--cpus", 1, "--time", 1, "--warning",
                                  30, "--out", "run", "--quiet")
        (self.folder / "job.sbatch").write_text(script)
        with one_node_slurm() as slurm:
            self.run_command("srun", "-n", 2, "true", **slurm)
            self.run_command("sbatch", "job.sbatch", **slurm)
            for _ in range(900):
                if (self.folder / "run/DONE").exists():
                    break
                time.sleep(1)
        log = "".join(path.read_text() for path in self.folder.glob("*.log"))
        self.assertTrue((self.folder / "run/DONE").exists(), log)
        self.assertIn("stopped by SIGUSR1", log)
        self.assertIn("resuming step", log)
        self.assertIn("equal bit for bit", self.run_command(PROGRAM, "inspect", "own", "--diff", "run"))


if __name__ == "__main__":
    unittest.main()
