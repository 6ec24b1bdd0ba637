#!/usr/bin/env python3
"""Fetch images with classes in MNIST's format (idx), which sst-train reads as they are.

    python3 data_tools/prepare_images.py mnist fashion_mnist emnist [--input FOLDER] [--output data/images]
    python3 data_tools/prepare_images.py --digits [--output data/images]

mnist, fashion_mnist: the four published files, from their sites or from --input FOLDER. emnist: the balanced split (47
classes) out of NIST's archive gzip.zip. --digits: the 1,797 digits of 8 x 8 pixels inside scikit-learn, which has to be
installed (data_tools/requirements-images.txt); the last 360, written by other people than the rest, are the test images.
Every file must be the published one. What is there whole is not fetched again.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import gzip
import hashlib
import importlib.util
import io
import struct
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from parallel_files import UNREADABLE, DataProblem, Output, sha256

TIMEOUT_S = 60
FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
# The sums are those that the data sets' readers in PyTorch and TensorFlow check.
SETS = {
    "mnist": (("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
              ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
               "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c")),
    "fashion_mnist": (("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                       "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
                      ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                       "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310")),
}
EMNIST_SITES, EMNIST_MD5 = ("https://biometrics.nist.gov/cs_links/EMNIST/",), "58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_FILES = [f"emnist-balanced-{part}.gz" for part in
                ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "test-images-idx3-ubyte", "test-labels-idx1-ubyte")]
DIGITS, DIGITS_TEST, DIGITS_SIDE, DIGITS_WHITE = 1797, 360, 8, 16
DIGITS_SHA256 = "d11e7147321803f02cc1dbf09e650ec4719879d5cab12e4a35b2694d51e00c6b"


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def published(name, sum_wanted, sites, folder):
    """The bytes of a published file: from `folder` where one is given, else from the first site that has it."""
    if folder:
        path = folder / name
        if not path.is_file():
            raise DataProblem(f"{folder} lacks {name}\nit comes from {sites[0]}")
        sources = [(str(path), path.read_bytes)]
    else:
        sources = [(site + name, lambda site=site: urllib.request.urlopen(site + name, timeout=TIMEOUT_S).read())
                   for site in sites]
    problems = []
    for where, load in sources:
        try:
            data = load()
        except (OSError, urllib.error.URLError) as problem:
            problems.append(f"{where}: {problem}")
            continue
        if md5(data) == sum_wanted:
            return data
        problems.append(f"{where}: MD5 is {md5(data)}, published is {sum_wanted}")
    raise DataProblem(f"{name} could not be had:\n  " + "\n  ".join(problems) + "\nfetch it by other means, and name its "
                      "folder with --input")


def prepare_published(name, options):
    sites, sums = SETS[name]
    folder = options.output / name
    for file, wanted in zip(FILES, sums):
        path = folder / file
        if path.is_file() and md5(path.read_bytes()) == wanted:
            print(f"{path}: was there")
            continue
        Output.write_file(path, published(file, wanted, sites, options.input))
        print(f"{path}: written")


def prepare_emnist(options):
    folder = options.output / "emnist"
    output = Output(folder, {"gzip.zip": EMNIST_MD5}, has_lines=False)
    if output.is_current():
        print(f"{folder}: was there")
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(published("gzip.zip", EMNIST_MD5, EMNIST_SITES, options.input)))
        files = {name: archive.read(f"gzip/{name}") for name in EMNIST_FILES}
    except (*UNREADABLE, KeyError) as problem:
        raise DataProblem(f"gzip.zip: not readable: {problem}") from problem
    output.write(files)


def idx(values, *shape):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(values)


def digits_of(text):
    """{file name: bytes}; `text` has a line of 64 grey values from 0 to 16 and the class for each digit."""
    rows = [[int(float(number)) for number in line.split(",")] for line in text.split()]
    if len(rows) != DIGITS or any(len(row) != DIGITS_SIDE**2 + 1 or max(row) > DIGITS_WHITE for row in rows):
        raise DataProblem("digits.csv.gz is not the file of 1,797 digits that scikit-learn ships")
    files = {}
    for split, part in (("train", rows[:-DIGITS_TEST]), ("test", rows[-DIGITS_TEST:])):
        files[f"{split}-images"] = idx((pixel for row in part for pixel in row[:-1]), len(part), DIGITS_SIDE, DIGITS_SIDE)
        files[f"{split}-labels"] = idx((row[-1] for row in part), len(part))
    return files


def prepare_digits(options):
    package = importlib.util.find_spec("sklearn")
    if package is None:
        raise DataProblem("this Python has no scikit-learn: pip install -r data_tools/requirements-images.txt")
    source = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        files = digits_of(gzip.decompress(source.read_bytes()).decode())
    except (OSError, EOFError, ValueError) as problem:
        raise DataProblem(f"{source}: not readable: {problem}") from problem
    found = sha256(b"".join(files[name] for name in sorted(files)))
    if found != DIGITS_SHA256:
        raise DataProblem(f"{source}: SHA-256 of the images and labels is {found}, expected is {DIGITS_SHA256}")
    folder = options.output / "digits"
    output = Output(folder, {"digits": DIGITS_SHA256}, has_lines=False)
    if output.is_current():
        print(f"{folder}: was there")
    else:
        output.write(files)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help="mnist, fashion_mnist, emnist")
    parser.add_argument("--digits", action="store_true", help="the small digits inside scikit-learn")
    parser.add_argument("--input", type=Path, help="folder that holds the published files; default: they are downloaded")
    parser.add_argument("--output", type=Path, default=Path("data/images"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    unknown = set(options.sets) - {*SETS, "emnist"}
    if unknown:
        parser.error(f"there is no set {', '.join(sorted(unknown))}; there are mnist, fashion_mnist and emnist")
    if not options.sets and not options.digits:
        parser.error("name a set, or give --digits")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        for name in options.sets:
            prepare_emnist(options) if name == "emnist" else prepare_published(name, options)
        if options.digits:
            prepare_digits(options)
    except (DataProblem, OSError) as problem:
        print(f"prepare_images.py: {problem}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
