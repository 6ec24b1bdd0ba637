"""prepare_openwebtext.py on small Parquet files made here; skipped where pyarrow or zstandard is absent."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import pyarrow
    import pyarrow.parquet
    import zstandard
except ImportError:
    pyarrow = None
else:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data_tools"))
    import prepare_openwebtext as tool

DOCUMENTS = ["plain", "two\nlines \"quoted\"\n", "ünï — 😀 \x01", "", "last"]


@unittest.skipIf(pyarrow is None, "this Python has no pyarrow and zstandard (data_tools/requirements-openwebtext.txt)")
class OpenWebText(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.input, self.output = Path(folder.name) / "in", Path(folder.name) / "out"
        self.write("train/0000.parquet", DOCUMENTS[:3])
        self.write("train/0001.parquet", DOCUMENTS[3:])

    def write(self, name, texts, column="text"):
        path = self.input / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({column: texts}), path, row_group_size=2)

    def run_tool(self, *more):
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = tool.main(["--input", str(self.input), "--output", str(self.output), *more])
        return code, out.getvalue(), error.getvalue()

    def texts(self):
        texts = []
        for path in sorted(self.output.glob("*.jsonl.zst")):
            with path.open("rb") as file:
                lines = zstandard.ZstdDecompressor().stream_reader(file).read().decode().split("\n")
            self.assertEqual(lines.pop(), "")
            texts += [json.loads(line)["text"] for line in lines]
        return texts

    def test_every_document_comes_out_in_order(self):
        code, out, error = self.run_tool("--documents", "5")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(self.texts(), DOCUMENTS)
        self.assertIn("5 documents in", out)

    def test_a_second_run_writes_nothing_and_a_damaged_file_is_made_again(self):
        self.run_tool("--documents", "5")
        first, second = sorted(self.output.glob("*.jsonl.zst"))
        stamp, bytes_before = first.stat().st_mtime_ns, second.read_bytes()
        second.write_bytes(b"damaged")
        code, out, _ = self.run_tool("--documents", "5")
        self.assertEqual(code, 0)
        self.assertEqual(out.count("was there"), 1)
        self.assertEqual(first.stat().st_mtime_ns, stamp)
        self.assertEqual(second.read_bytes(), bytes_before)

    def test_another_number_of_documents_than_published_is_refused(self):
        code, _, error = self.run_tool()
        self.assertEqual(code, 3)
        self.assertIn("the number of documents is 5, published is 8,013,769", error)
        self.assertEqual(self.run_tool("--documents", "any")[0], 0)

    def test_what_is_no_table_of_texts_is_named(self):
        self.write("train/0002.parquet", ["x"], column="content")
        self.assertIn("0002.parquet: no column 'text'; there are content", self.run_tool()[2])
        self.write("train/0002.parquet", ["x", None])
        self.assertIn("0002.parquet, row 1: 'text' holds NoneType, not text", self.run_tool()[2])
        (self.input / "train/0002.parquet").write_bytes(b"PAR1 but not really")
        code, _, error = self.run_tool()
        self.assertEqual(code, 3)
        self.assertIn("0002.parquet: not readable as Parquet", error)
        self.assertEqual(list(self.output.glob("*0002*.zst")), [])

    def test_missing_input_and_files_of_another_origin_are_named(self):
        self.output.mkdir()
        (self.output / "other.jsonl.zst").write_bytes(b"")
        self.assertIn("also holds other.jsonl.zst", self.run_tool("--documents", "5")[2])
        for path in list(self.input.rglob("*.parquet")):
            path.unlink()
        self.assertIn("there is no *.parquet file", self.run_tool()[2])


if __name__ == "__main__":
    unittest.main()
