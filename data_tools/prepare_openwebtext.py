#!/usr/bin/env python3
"""Turn the Parquet copies of OpenWebText on the Hugging Face hub into JSON lines that sst-train reads.

    python3 data_tools/prepare_openwebtext.py --input PARQUET [--output data/openwebtext]

PARQUET is a folder with the *.parquet files of the hub's copy, in whatever sub-folders. Each becomes one NAME.jsonl.zst
with a line {"text": ...} for each document, in the same order; a file that is there whole is not written again. The
published collection has 8,013,769 documents, and another number is an error; --documents N expects another number and
--documents any none. The archive openwebtext.tar.xz needs no conversion: sst-train reads it as published.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

try:
    import pyarrow
    import pyarrow.parquet
    import zstandard
except ImportError:
    sys.exit("prepare_openwebtext.py needs pyarrow and zstandard: "
             "python3 -m pip install -r data_tools/requirements-openwebtext.txt")

DOCUMENTS = 8_013_769
ROWS_AT_ONCE = 1000


class DataProblem(Exception):
    """Something about the input that its owner can fix."""


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def texts(path, key):
    """The documents of one Parquet file, in order."""
    try:
        table = pyarrow.parquet.ParquetFile(path)
        if key not in table.schema_arrow.names:
            raise DataProblem(f"{path}: no column '{key}'; there are {', '.join(table.schema_arrow.names)}")
        row = 0
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=[key]):
            for text in batch.column(0).to_pylist():
                if not isinstance(text, str):
                    raise DataProblem(f"{path}, row {row}: '{key}' holds {type(text).__name__}, not text")
                yield text
                row += 1
    except (pyarrow.ArrowException, OSError) as problem:
        raise DataProblem(f"{path}: not readable as Parquet: {problem}") from problem


def write_lines(documents, path):
    """Writes beside the target and renames; returns the number of documents."""
    part = path.with_name(path.name + ".part")
    count = 0
    with part.open("wb") as file:
        with zstandard.ZstdCompressor(level=6, write_checksum=True).stream_writer(file, closefd=False) as packed:
            for text in documents:
                packed.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
                count += 1
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return count


def convert(source, target, key, known):
    """Returns what meta.json keeps of one file, and whether it was there; `known` is what it kept before, or None."""
    origin = {"input_bytes": source.stat().st_size, "input_sha256": sha256(source), "text_key": key}
    if known and origin.items() <= known.items() and target.is_file() and sha256(target) == known["sha256"]:
        return known, True
    count = write_lines(texts(source, key), target)
    return {**origin, "documents": count, "sha256": sha256(target)}, False


def target_names(inputs, root):
    """One flat name for each input; the path within the folder makes it unique and keeps the order."""
    names = {path: "-".join(path.relative_to(root).with_suffix("").parts) + ".jsonl.zst" for path in inputs}
    if len(set(names.values())) < len(names):
        raise DataProblem(f"two files of {root} would have the same name, with '-' in place of '/'")
    return names


def read_meta(path):
    try:
        return json.loads(path.read_text())["files"]
    except (OSError, ValueError, KeyError):
        return {}


def prepare(options):
    inputs = sorted(options.input.rglob("*.parquet"))
    if not inputs:
        raise DataProblem(f"there is no *.parquet file in {options.input}")
    options.output.mkdir(parents=True, exist_ok=True)
    meta_path = options.output / "meta.json"
    known, files = read_meta(meta_path), {}
    for source, name in target_names(inputs, options.input).items():
        files[name], was_there = convert(source, options.output / name, options.text_key, known.get(name))
        print(f"{name}: {files[name]['documents']:,} documents{' (was there)' if was_there else ''}")
        # After each file, so that an interrupted conversion goes on where it was.
        meta_path.write_text(json.dumps({"files": {**known, **files}}, indent=1) + "\n")
    meta_path.write_text(json.dumps({"files": files}, indent=1) + "\n")
    stray = {path.name for path in options.output.glob("*.jsonl.zst")} - files.keys()
    if stray:
        raise DataProblem(f"{options.output} also holds {', '.join(sorted(stray))}, made from something else; remove them")
    total = sum(entry["documents"] for entry in files.values())
    if options.documents is not None and total != options.documents:
        raise DataProblem(f"the number of documents is {total:,}, published is {options.documents:,}; a file may be missing")
    return total


def count_or_any(word):
    return None if word == "any" else int(word)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder with the *.parquet files")
    parser.add_argument("--output", type=Path, default=Path("data/openwebtext"), help="default: %(default)s")
    parser.add_argument("--text-key", default="text", help="column of the documents; default: %(default)s")
    parser.add_argument("--documents", type=count_or_any, default=DOCUMENTS, metavar="N|any",
                        help="how many there must be; default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        if not options.input.is_dir():
            raise DataProblem(f"there is no folder {options.input}")
        total = prepare(options)
    except (DataProblem, OSError) as problem:
        print(f"prepare_openwebtext.py: {problem}", file=sys.stderr)
        return 3
    print(f"{total:,} documents in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
