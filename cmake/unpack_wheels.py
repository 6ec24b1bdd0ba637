#!/usr/bin/env python3
"""Unpacks of LibTorch's wheels what a C++ program needs, and what the tests' torchrun does.

    unpack_wheels.py WHEELS INTO     INTO/torch, and for a CUDA build INTO/nvidia beside it, where LibTorch looks

The NVIDIA wheels together make a CUDA toolkit, but for three things that wheels lack: files that may be run, the names
without a version (libcudart.so) by which a linker looks for libraries, and one folder with the headers of all (NCCL's lie
apart).
"""
import pathlib
import re
import sys
import zipfile

WANTED = ("torch/include/", "torch/lib/", "torch/share/", "nvidia/")
# The Python package but for tests and tools: 50 MB, which spare the tests of torchrun a second download. torch/version.py
# says which version and build it is.
PYTHON = re.compile(r"torch(gen)?/.*\.py|torch/_C\.[^/]*\.so|torch/bin/torch_shm_manager")


def unpack(wheel, into):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(WANTED) or PYTHON.fullmatch(name):
                archive.extract(name, into)


def complete_toolkit(toolkit):
    """toolkit: INTO/nvidia/cu13, with bin, include, lib and nvvm"""
    for program in [*toolkit.glob("bin/*"), *toolkit.glob("nvvm/bin/*")]:
        if program.is_file():
            program.chmod(0o755)
    for library in sorted(toolkit.glob("lib/*.so.*")):
        plain = library.with_name(re.sub(r"\.so\..*$", ".so", library.name))
        if not plain.exists():
            plain.symlink_to(library.name)
    for header in sorted(toolkit.parent.glob("*/include/*")):
        link = toolkit / "include" / header.name
        if not link.exists():
            link.symlink_to(pathlib.Path("../..") / header.relative_to(toolkit.parent))
    if not (toolkit / "lib64").exists():
        (toolkit / "lib64").symlink_to("lib")


def main():
    wheels, into = map(pathlib.Path, sys.argv[1:])
    for wheel in sorted(wheels.glob("*.whl")):
        unpack(wheel, into)
    for toolkit in into.glob("nvidia/cu*"):
        if (toolkit / "bin/nvcc").exists():
            complete_toolkit(toolkit)


if __name__ == "__main__":
    main()
