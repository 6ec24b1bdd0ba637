"""A Slurm of this machine alone, for as long as a test needs it. Its daemons run as root and as the user munge."""
import contextlib
import os
import pathlib
import pwd
import socket
import subprocess
import tempfile
import time
import unittest

PATIENCE_S = 30  # for a daemon that starts or ends

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


def first_free_port():
    """The first of two: it is free, and its successor very likely too."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def munged(folder):
    """The command that runs munged, its key made; sockets and logs in `folder`."""
    munge = pwd.getpwnam("munge")
    own = folder / "munge"
    own.mkdir()
    key = own / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for path in (folder, own, key):
        os.chown(path, munge.pw_uid, munge.pw_gid)
    return ["setpriv", f"--reuid={munge.pw_uid}", f"--regid={munge.pw_gid}", "--clear-groups", "munged", "-F", "--force",
            f"--key-file={key}", f"--socket={folder}/munge.socket", f"--pid-file={own}/pid", f"--log-file={own}/log",
            f"--seed-file={own}/seed"]


def wait_until(ready, daemon, log):
    """Returns when ready(); skips the test where the daemon does not get there, as in some containers."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if daemon.poll() is not None or time.monotonic() > end:
            words = log.read_text(errors="replace").split("\n") if log.exists() else []
            raise unittest.SkipTest(f"{log.stem} does not start here: {' '.join(words[-2:]).strip() or 'no word from it'}")
        time.sleep(0.2)


@contextlib.contextmanager
def one_node_slurm():
    """The environment in which sbatch and srun talk to a Slurm of one node with two CPUs."""
    with tempfile.TemporaryDirectory(prefix="sst-slurm-") as name, contextlib.ExitStack() as daemons:
        folder, host = pathlib.Path(name), socket.gethostname().split(".")[0]
        folder.chmod(0o755)
        for path in ("state", "spool"):
            (folder / path).mkdir()
        port, conf = first_free_port(), folder / "slurm.conf"
        conf.write_text(SLURM_CONF.format(folder=folder, host=host, port=port, next_port=port + 1))
        environment = {"SLURM_CONF": str(conf)}

        def answers(*words):
            done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
            return done.stdout if done.returncode == 0 else ""

        def start(name, command, ready):
            log = folder / f"{name}.log"
            with open(log, "w") as output:
                daemon = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environment)
            daemons.callback(end, daemon)
            wait_until(ready, daemon, log)

        start("munged", munged(folder), (folder / "munge.socket").exists)
        start("slurmctld", ["slurmctld", "-D", "-f", str(conf)], lambda: "UP" in answers("scontrol", "ping"))
        start("slurmd", ["slurmd", "-D", "-f", str(conf)], lambda: "idle" in answers("sinfo", "-h", "-o", "%T"))
        yield environment


def end(daemon):
    daemon.terminate()
    try:
        daemon.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
