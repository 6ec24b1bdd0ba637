"""What data_tools must refuse. Run by prepared_graphs_test.cpp where there is numpy."""

import collections
import contextlib
import io
import json
import os
import pickle
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data_tools"))
import prepare_graphs as tool  # noqa: E402 (needs the path above)
import restricted_pickle  # noqa: E402


class Attack:
    """A pickle of this runs a command when it is loaded carelessly."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Unpickler(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name) / "file.p"

    def load(self, content, allowed=tool.PLANETOID_GLOBALS):
        self.path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=2))
        return restricted_pickle.load_pickle(self.path, allowed)

    def test_plain_data_is_read(self):
        graph = collections.defaultdict(list, {0: [1, 2], 1: [0]})
        # protocol 2 spells the factory as Python 2 did: __builtin__.list
        self.assertEqual(self.load(graph), graph)
        array = np.arange(6, dtype=np.int32).reshape(2, 3)
        # protocol 3, because Python 3 writes bytes into protocol 2 with the help of one more name
        np.testing.assert_array_equal(self.load(pickle.dumps(array, protocol=3)), array)

    def test_a_command_is_not_run(self):
        marker = Path(self.folder.name) / "marker"
        for attack in (Attack(os.system, f"touch {marker}"), Attack(eval, "1+1"), Attack(print, "hello")):
            with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "not on the list of harmless names"):
                self.load(attack)
            with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "not on the list of harmless names"):
                self.load(attack, tool.AIRPORT_GLOBALS)
        self.assertFalse(marker.exists())

    def test_neighbours_of_allowed_names_are_refused(self):
        for line in (b"cnumpy\nload\n.", b"cnumpy\nndarray.tofile\n.", b"ccollections\nCounter\n.", b"c__builtin__\neval\n.",
                     b"cscipy.sparse\ncsc_matrix\n.", b"cnetworkx.classes.graph\nGraph\n."):
            with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "not on the list"):
                self.load(line)
        with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "not on the list"):
            self.load(b"cnumpy\nndarray\n.", tool.AIRPORT_GLOBALS)

    def test_dotted_names_of_protocol_4_are_refused(self):
        with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "not on the list"):
            self.load(b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.")

    def test_persistent_ids_and_damage_are_refused(self):
        with self.assertRaisesRegex(restricted_pickle.UnsafePickle, "outside the file"):
            self.load(b"Psomething\n.")
        for damaged in (b"", b"not a pickle", pickle.dumps([1, 2, 3])[:-3]):
            with self.assertRaises(restricted_pickle.UnsafePickle):
                self.load(damaged)


class Conversion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def run_tool(self, *arguments):
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = tool.main(["--input", str(self.root / "in"), "--output", str(self.root / "out"), *arguments])
        return code, out.getvalue(), error.getvalue()

    def test_a_missing_file_is_named(self):
        (self.root / "in" / "cora").mkdir(parents=True)
        code, _, error = self.run_tool("cora")
        self.assertEqual(code, 3)
        self.assertIn("ind.cora.test.index is missing", error)
        self.assertFalse((self.root / "out").exists())

    def test_a_missing_input_folder_is_named(self):
        code, _, error = self.run_tool()
        self.assertEqual(code, 3)
        self.assertIn("there is no folder", error)

    def disease_nc(self, edges):
        folder = self.root / "in" / "disease_nc"
        folder.mkdir(parents=True)
        (folder / "disease_nc.edges.csv").write_text("".join(f"{u},{v}\n" for u, v in edges))
        np.save(folder / "disease_nc.labels.npy", np.array([0.0, 1.0, 0.0]))

    def test_other_data_than_the_published_is_refused(self):
        self.disease_nc([(0, 1), (1, 2)])
        code, _, error = self.run_tool("disease_nc")
        self.assertEqual(code, 3)
        self.assertIn("number of nodes is 3, published is 1044", error)
        self.assertFalse((self.root / "out" / "disease_nc").exists())

    def test_another_feature_file_for_disease_nc_is_refused(self):
        self.disease_nc([(0, 1)])
        (self.root / "in" / "disease_nc" / "disease_nc.feats.npz").write_bytes(b"something else")
        code, _, error = self.run_tool("disease_nc")
        self.assertEqual(code, 3)
        self.assertIn(tool.DISEASE_NC_FEATURES_BLOB, error)

    def test_an_interrupted_write_leaves_no_meta(self):
        files = {"edges.txt": b"0 1\n"}
        tool.write(self.root / "g", files, {"name": "g"})
        self.assertTrue(tool.is_written(self.root / "g", files, {"name": "g"}))
        self.assertEqual(json.loads((self.root / "g" / "meta.json").read_text()), {"name": "g"})
        with self.assertRaises(TypeError):
            tool.write(self.root / "g", {"edges.txt": "not bytes"}, {"name": "g"})
        self.assertFalse((self.root / "g" / "meta.json").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
