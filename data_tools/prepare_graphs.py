#!/usr/bin/env python3
"""Convert the graph data sets published with HGCN into the folders that sst-train reads (docs/formats.md).

    python3 data_tools/prepare_graphs.py --input ORIGINALS [--output data/hgcn] [cora pubmed airport ...]

ORIGINALS holds one folder per data set (cora, pubmed, airport, disease_lp, disease_nc) with the files as published;
data_tools/README.md lists them. Nothing is normalised here: the program does that. Every result is compared with the
published counts and sums, and a difference is an error. Running it again changes nothing.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import collections
import hashlib
import io
import json
import os
import sys
import zipfile
from pathlib import Path

try:
    import numpy as np
except ImportError:
    sys.exit("prepare_graphs.py needs numpy: python3 -m pip install -r data_tools/requirements.txt")

try:
    from numpy._core.multiarray import _reconstruct
except ImportError:  # NumPy 1
    from numpy.core.multiarray import _reconstruct

from restricted_pickle import Record, UnsafePickle, load_pickle

FORMAT_VERSION = 1
DISEASE_NC_FEATURES_BLOB = "a80617c2b4ccf3f96b3adc936cf3d784451e459d"
DISEASE_NC_ADVICE = f"""\
The features of disease_nc are not here, so its folder holds none: it trains with `use_feats: false` only, and such
numbers can't be compared with published ones. They are the file disease_nc.feats.npz (1044 x 1000) of
https://github.com/HazyResearch/hgcn, folder data/disease_nc, git blob {DISEASE_NC_FEATURES_BLOB}.
Put it into the input folder disease_nc and run this again."""


class DataProblem(Exception):
    """Something about the input that its owner can fix."""


# What the pickles may name; the classes of SciPy and networkx are read as plain state.
PLANETOID_GLOBALS = {
    ("scipy.sparse.csr", "csr_matrix"): Record,
    ("scipy.sparse", "csr_matrix"): Record,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "defaultdict"): collections.defaultdict,
    ("__builtin__", "list"): list,
}
AIRPORT_GLOBALS = {
    ("networkx.classes.graph", "Graph"): Record,
    ("networkx.classes.reportviews", "NodeView"): Record,
    ("builtins", "dict"): dict,
}


# --- the originals ----------------------------------------------------------------------------------------------------


class Source:
    """The input folder of one data set; remembers the SHA-256 of what was read."""

    def __init__(self, folder):
        self.folder = folder
        self.hashes = {}

    def path(self, name):
        path = self.folder / name
        if not path.is_file():
            raise DataProblem(f"{path} is missing; data_tools/README.md lists the files of each data set")
        self.hashes[name] = sha256(path.read_bytes())
        return path


class Csr:
    """Compressed sparse rows."""

    def __init__(self, indptr, indices, data, shape):
        self.indptr = np.asarray(indptr, dtype="<i8")
        self.indices = np.asarray(indices, dtype="<i4")
        self.data = np.asarray(data)
        self.shape = tuple(int(n) for n in shape)

    def dense(self):
        full = np.zeros(self.shape, dtype=self.data.dtype)
        full[self.row_of_entries(), self.indices] = self.data
        return full

    def row_of_entries(self):
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def rows(self, order):
        """The rows in another order, each sorted by column."""
        lengths = np.diff(self.indptr)[order]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        pick = np.concatenate([self.indptr[i] + np.argsort(self.indices[self.indptr[i] : self.indptr[i + 1]])
                               for i in order]).astype(np.int64)
        return Csr(indptr, self.indices[pick], self.data[pick], (len(order), self.shape[1]))


def stack(a, b):
    return Csr(np.concatenate([a.indptr, b.indptr[1:] + a.indptr[-1]]), np.concatenate([a.indices, b.indices]),
               np.concatenate([a.data, b.data]), (a.shape[0] + b.shape[0], a.shape[1]))


def undirected(pairs):
    """Each edge once as u <= v, sorted."""
    return sorted({(min(u, v), max(u, v)) for u, v in pairs})


def read_planetoid(source, name):
    def load(part):
        return load_pickle(source.path(f"ind.{name}.{part}"), PLANETOID_GLOBALS)

    def features(part):
        state = load(part).state
        return Csr(state["indptr"], state["indices"], state["data"], state["_shape"])

    test_nodes = np.array([int(line) for line in source.path(f"ind.{name}.test.index").read_text().split()])
    known, held_out = features("allx"), features("tx")
    # Row i of tx belongs to node test_nodes[i]; sorted by node the test rows follow the others.
    if sorted(test_nodes) != list(range(known.shape[0], known.shape[0] + len(test_nodes))):
        raise DataProblem(f"ind.{name}.test.index does not number the nodes after those of allx")
    order = np.concatenate([np.arange(known.shape[0]), known.shape[0] + np.argsort(test_nodes)])
    one_hot = np.concatenate([load("ally"), load("ty")])[order]
    graph = load("graph")
    train_count = len(load("y"))
    valid_count = min(1000, len(order) - train_count - len(test_nodes))
    return {
        "edges": undirected((u, v) for u, neighbours in graph.items() for v in neighbours),
        "labels": one_hot.argmax(1),
        "classes": one_hot.shape[1],
        "features": stack(known, held_out).rows(order),
        "parts": {
            "train": np.arange(train_count),
            "valid": np.arange(train_count, train_count + valid_count),
            "test": np.sort(test_nodes),
        },
    }


def read_airport(source, name):
    state = load_pickle(source.path(f"{name}.p"), AIRPORT_GLOBALS).state
    number = {node: index for index, node in enumerate(state["_node"])}
    features = np.array([entry["feat"] for entry in state["_node"].values()], dtype="<f8")
    pairs = ((number[u], number[v]) for u, neighbours in state["_adj"].items() for v in neighbours)
    return {
        "edges": undirected(pairs),
        "labels": sum((features[:, 4] >= threshold).astype(int) for threshold in (1.0, 8.0 / 7, 9.0 / 7)),
        "classes": 4,
        "features": features,
        "parts": {},
    }


def read_disease(source, name):
    lines = source.path(f"{name}.edges.csv").read_text().split()
    number = {}  # by first appearance
    pairs = [tuple(number.setdefault(node, len(number)) for node in line.split(",")) for line in lines]
    labels = np.load(source.path(f"{name}.labels.npy"), allow_pickle=False)
    features = None
    if name != "disease_nc" or (source.folder / f"{name}.feats.npz").exists():
        path = source.path(f"{name}.feats.npz")
        if name == "disease_nc" and git_blob(path.read_bytes()) != DISEASE_NC_FEATURES_BLOB:
            raise DataProblem(f"{path} is not the published file: its git blob is {git_blob(path.read_bytes())}, "
                              f"not {DISEASE_NC_FEATURES_BLOB}")
        with np.load(path, allow_pickle=False) as archive:
            features = Csr(archive["indptr"], archive["indices"], archive["data"], archive["shape"])
        features = features.rows(np.arange(features.shape[0]))
        if len(features.data) * 2 > features.shape[0] * features.shape[1]:
            features = features.dense()
    return {"edges": undirected(pairs), "labels": labels.astype(int), "classes": 2, "features": features, "parts": {}}


# --- what must come out -----------------------------------------------------------------------------------------------

# nodes, edges, of them self loops, sizes of the classes, features, their non-zeros (None: all dense), and two sums over
# the features as node classification sees them (disease_lp: as stored) and over the normalised adjacency of all edges
Expected = collections.namedtuple("Expected", "nodes edges loops class_sizes features nonzeros f f_squared a_squared")
DATASETS = {
    "cora": (read_planetoid, Expected(2708, 5278, 0, [351, 217, 418, 818, 426, 298, 180], 1433, 49216,
                                      2708.00004449, 196.870094995, 745.558974067)),
    "pubmed": (read_planetoid, Expected(19717, 44327, 3, [4103, 7739, 7875], 500, 988031,
                                        19716.9999975, 793.48141482, 6693.47854221)),
    "airport": (read_airport, Expected(3188, 18631, 1, [521, 1443, 999, 225], 5, None,
                                       3188, 325600.672004 - 2 * 3188, 810.715490197)),
    "disease_lp": (read_disease, Expected(2665, 2664, 0, [1605, 1060], 11, None,
                                          10861.308022, 23347.4902643, None)),
    "disease_nc": (read_disease, Expected(1044, 1043, 0, [833, 211], 1000, None, None, None, 438.003571429)),
}


def normalised(name, features):
    """The stored values of the features, rows divided by their sums; for the check sums only."""
    if isinstance(features, Csr):
        sums = np.zeros(features.shape[0])
        np.add.at(sums, features.row_of_entries(), features.data)
        return features.data / sums[features.row_of_entries()]
    if name == "disease_lp":
        return features
    used = features[:, :4] if name == "airport" else features
    return used / used.sum(1, keepdims=True)


def adjacency_square_sum(nodes, edges):
    """Sum of the squared entries of D^-1 (A + I)."""
    pairs = np.array(edges)
    loops = pairs[pairs[:, 0] == pairs[:, 1], 0]
    others = pairs[pairs[:, 0] != pairs[:, 1]]
    diagonal = np.ones(nodes)
    diagonal[loops] += 1
    degree = np.bincount(others.ravel(), minlength=nodes).astype(float)
    return float(((degree + diagonal**2) / (degree + diagonal) ** 2).sum())


def check(name, graph, expected):
    """Compares with the published counts and sums; DataProblem at the first difference."""
    def compare(what, found, wanted, tolerance=0.0):
        if wanted is None:
            return
        equal = abs(found - wanted) <= tolerance * abs(wanted) if tolerance else found == wanted
        if not equal:
            raise DataProblem(f"{name}: {what} is {found}, published is {wanted}; the originals differ from HGCN's")

    edges, labels, features = graph["edges"], graph["labels"], graph["features"]
    nodes = len(labels)
    compare("number of nodes", nodes, expected.nodes)
    compare("number of edges", len(edges), expected.edges)
    compare("number of self loops", sum(u == v for u, v in edges), expected.loops)
    compare("largest node of an edge", max(v for _, v in edges), nodes - 1 if name != "airport" else None)
    compare("sizes of the classes", np.bincount(labels, minlength=graph["classes"]).tolist(), expected.class_sizes)
    compare("sum of the squared adjacency", adjacency_square_sum(nodes, edges), expected.a_squared, 1e-9)
    if features is None:
        return
    compare("shape of the features", tuple(features.shape), (expected.nodes, expected.features))
    if isinstance(features, Csr):
        compare("number of non-zero features", len(features.data), expected.nonzeros)
    tolerance = 1e-6 if isinstance(features, Csr) else 1e-9  # the sums of the citation sets carry float32 rounding
    values = normalised(name, features)
    compare("sum of the features", float(values.sum()), expected.f, tolerance)
    compare("sum of the squared features", float((values.astype(float) ** 2).sum()), expected.f_squared, tolerance)


# --- writing ----------------------------------------------------------------------------------------------------------


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def npy(array, dtype=None):
    buffer = io.BytesIO()
    little_endian = np.dtype(dtype or array.dtype).newbyteorder("<")
    np.save(buffer, np.ascontiguousarray(array, dtype=little_endian), allow_pickle=False)
    return buffer.getvalue()


def lines(rows):
    return "".join(f"{row}\n" for row in rows).encode()


def contents(graph):
    """File name -> bytes of all files but meta.json."""
    files = {"edges.txt": lines(f"{u} {v}" for u, v in graph["edges"]), "labels.txt": lines(graph["labels"])}
    features = graph["features"]
    if isinstance(features, Csr):
        files["features_indptr.npy"] = npy(features.indptr)
        files["features_indices.npy"] = npy(features.indices)
        files["features_data.npy"] = npy(features.data)
    elif features is not None:
        files["features.npy"] = npy(features)
    for part, nodes in graph["parts"].items():
        files[f"{part}_nodes.txt"] = lines(nodes)
    return files


def write(folder, files, meta):
    """meta.json goes last: a folder with it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").unlink(missing_ok=True)
    files = dict(files)
    files["meta.json"] = (json.dumps(meta, indent=2) + "\n").encode()
    for name, content in files.items():
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(folder / name)


def is_written(folder, files, meta):
    """True when the folder already holds exactly this."""
    try:
        return json.loads((folder / "meta.json").read_text()) == meta and all(
            (folder / name).read_bytes() == content for name, content in files.items())
    except (OSError, ValueError):
        return False


def prepare(name, input_root, output_root):
    """Converts one data set; returns its row of the summary."""
    read, expected = DATASETS[name]
    source = Source(input_root / name)
    try:
        graph = read(source, name)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise DataProblem(f"{name}: the originals are not laid out as published ({type(error).__name__}: {error})")
    check(name, graph, expected)
    files = contents(graph)
    features = graph["features"]
    meta = {
        "format": "sst-graph",
        "version": FORMAT_VERSION,
        "name": name,
        "nodes": expected.nodes,
        "edges": expected.edges,
        "features": 0 if features is None else expected.features,
        "classes": graph["classes"],
        "inputs": source.hashes,
        "files": {file: sha256(content) for file, content in sorted(files.items())},
    }
    folder = output_root / name
    state = "unchanged" if is_written(folder, files, meta) else "written"
    if state == "written":
        write(folder, files, meta)
    return [name, str(expected.nodes), str(expected.edges), str(graph["classes"]),
            "missing" if features is None else str(expected.features), state, str(folder)]


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder with one folder of originals per data set")
    parser.add_argument("--output", type=Path, default=Path("data/hgcn"), help="default: data/hgcn")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(DATASETS)}; default: all that are there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in DATASETS]
    if unknown:
        parser.error(f"unknown data set {unknown[0]!r}; known: {', '.join(DATASETS)}")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if not options.input.is_dir():
        print(f"prepare_graphs.py: there is no folder {options.input}", file=sys.stderr)
        return 3
    names = options.names or [name for name in DATASETS if (options.input / name).is_dir()]
    failed = not names
    rows = []
    for name in names:
        try:
            rows.append(prepare(name, options.input, options.output))
        except (DataProblem, UnsafePickle, OSError) as problem:
            print(f"prepare_graphs.py: {problem}", file=sys.stderr)
            failed = True
    table = [["data set", "nodes", "edges", "classes", "features", "state", "folder"], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    absent = [name for name in DATASETS if name not in names and not options.names]
    if absent:
        print(f"not in {options.input}: {', '.join(absent)}")
    if any(row[0] == "disease_nc" and row[4] == "missing" for row in rows):
        print("\n" + DISEASE_NC_ADVICE)
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
