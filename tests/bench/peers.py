"""What the scripts of this folder share: the peer's virtual environment and the measuring of a child process."""
import os
import pathlib
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "peers"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
PACKAGES = ["torch==2.13.0", "numpy", "transformers==4.57.6", "peft==0.18.0"]


def python(install, environment=ENVIRONMENT, packages=PACKAGES):
    """The peers' Python; `install` makes its environment first."""
    binary = environment / "bin" / "python"
    if install:
        if not binary.exists():
            venv.create(environment, with_pip=True)
        subprocess.run([binary, "-m", "pip", "install", "--quiet", "--extra-index-url", TORCH_INDEX, *packages],
                       check=True, stdout=sys.stderr)
    return binary if binary.exists() else pathlib.Path(sys.executable)


def run(command, threads, environment=None):
    """Standard output, seconds and peak resident GB of a child process; ends this one when the child fails."""
    settings = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), **(environment or {})}
    start = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], env=settings, stdout=subprocess.PIPE, text=True)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: {' '.join(map(str, command))} ended with {child.returncode}; "
                 "--install makes the peers' environment below build")
    return output, time.monotonic() - start, usage.ru_maxrss * 1024 / 1e9
