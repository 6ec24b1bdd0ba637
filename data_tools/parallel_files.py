"""What the converters share: finding originals in folders and archives, lines, checks, writing."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

TARS = (".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
UNREADABLE = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


class DataProblem(Exception):
    """Something about the input that its owner can fix."""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def content(opened):
    with opened() as file:
        return file.read()


class Originals:
    """Files by name, wherever they lie: in a folder and those below, in archives there, and in archives inside these. A
    file NAME.gz is found as NAME, too. An archive is opened only when a name is not found without it."""

    def __init__(self, path):
        self.path = path
        self.loaders = {}  # name -> (where it lies, function that gives its bytes)
        self.unopened = []  # archives: (where it lies, function that gives a file object)
        self.opened = contextlib.ExitStack()
        if not path.exists():
            raise DataProblem(f"there is no file or folder {path}")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                self._add(str(file), lambda file=file: file.open("rb"))

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.opened.close()

    def _add(self, where, opened):
        name = Path(where).name
        if name.startswith("."):
            return
        if name.endswith((*TARS, ".zip")):
            self.unopened.append((where, opened))
        elif name.endswith(".gz"):
            self.loaders.setdefault(name[:-3], (where, lambda: gzip.decompress(content(opened))))
        else:
            self.loaders.setdefault(name, (where, lambda: content(opened)))

    def _open_archive(self, where, opened):
        try:
            file = self.opened.enter_context(opened())
            if where.endswith(".zip"):
                archive = zipfile.ZipFile(file)
                members = [(name, lambda name=name: io.BytesIO(archive.read(name)))
                           for name in archive.namelist() if not name.endswith("/")]
            else:
                archive = tarfile.open(fileobj=file)
                members = [(member.name, lambda member=member: io.BytesIO(archive.extractfile(member).read()))
                           for member in archive.getmembers() if member.isfile()]
        except UNREADABLE as problem:
            raise DataProblem(f"{where}: not readable as an archive: {problem}") from problem
        for name, member in members:
            self._add(f"{where}: {name}", member)

    def find(self, *names):
        """The first of these names that is there, or None."""
        while True:
            found = next((name for name in names if name in self.loaders), None)
            if found or not self.unopened:
                return found
            self._open_archive(*self.unopened.pop(0))

    def require(self, wanted, origin):
        """{key: name} of what is there; `wanted` is {key: possible names}. All that is missing is said at once."""
        found = {key: self.find(*names) for key, names in wanted.items()}
        missing = [" or ".join(wanted[key]) for key, name in found.items() if name is None]
        if missing:
            raise DataProblem(f"{self.path} lacks\n  " + "\n  ".join(missing) + f"\n{origin}")
        return found

    def read(self, name):
        where, load = self.loaders[name]
        try:
            return load()
        except UNREADABLE as problem:
            raise DataProblem(f"{where}: not readable: {problem}") from problem

    def where(self, name):
        return self.loaders[name][0]

    def lines(self, name):
        return lines_of(self.read(name), self.where(name))


def lines_of(data, where):
    """Text lines; only the newline ends one, and a carriage return before it goes."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    texts = []
    for number, line in enumerate(lines, start=1):
        try:
            texts.append(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as problem:
            raise DataProblem(f"{where}, line {number}: byte {problem.start + 1} is not UTF-8") from problem
    return texts


def check_pairs(sides, names):
    """`sides` are lists of lines that belong together."""
    if len({len(side) for side in sides}) > 1:
        counts = ", ".join(f"{name} has {len(side):,}" for side, name in zip(sides, names))
        raise DataProblem(f"numbers of lines differ: {counts}")


def check_published(what, found, published, accept_others):
    """`found` is a number of lines or a sum."""
    if found != published and not accept_others:
        def shown(value):
            return f"{value:,}" if isinstance(value, int) else value
        raise DataProblem(f"{what}: {shown(found)}, published is {shown(published)}; --unpublished accepts other data")


def as_file(lines):
    return "".join(line + "\n" for line in lines).encode()


class Output:
    """A folder with meta.json, which holds what each output was made from; nothing is written twice."""

    def __init__(self, folder, origin, has_lines=True):
        """`origin`: whatever decides the content, as JSON: settings, and sums of the inputs."""
        self.folder, self.origin, self.has_lines = folder, origin, has_lines
        self.meta_path = folder / "meta.json"

    def is_current(self):
        try:
            meta = json.loads(self.meta_path.read_text())
            return meta["origin"] == self.origin and all(
                sha256((self.folder / name).read_bytes()) == entry["sha256"] for name, entry in meta["files"].items())
        except (OSError, ValueError, KeyError):
            return False

    def write(self, files):
        """`files`: {name: bytes}; meta.json comes last, so it speaks of what is there whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.meta_path.unlink(missing_ok=True)
        entries = {}
        for name, data in files.items():
            self.write_file(self.folder / name, data)
            entries[name] = {"sha256": sha256(data)}
            if self.has_lines:
                entries[name]["lines"] = data.count(b"\n")
            print(f"{self.folder / name}: " + (f"{entries[name]['lines']:,} lines" if self.has_lines else "written"))
        self.write_file(self.meta_path, (json.dumps({"origin": self.origin, "files": entries}, indent=1) + "\n").encode())

    @staticmethod
    def write_file(path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def run_converter(program, prepare, options):
    """The exit status: 0, or 3 after a line that says what is wrong with the input."""
    try:
        with Originals(options.input) as originals:
            prepare(originals, options)
    except (DataProblem, OSError) as problem:
        print(f"{program}: {problem}", file=sys.stderr)
        return 3
    return 0
