"""Image files on small originals made here: what is published is kept byte for byte, what is not is refused."""

import contextlib
import io
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data_tools"))
import prepare_images  # noqa: E402 (needs the path above)


def run(*arguments):
    """(exit code, what was said)"""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = prepare_images.main(list(map(str, arguments)))
    return code, said.getvalue()


class PrepareImages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.originals = {name: name.encode() for name in prepare_images.FILES}
        (self.folder / "in").mkdir()
        for name, data in self.originals.items():
            (self.folder / "in" / name).write_bytes(data)
        sums = tuple(map(prepare_images.md5, self.originals.values()))
        patch = mock.patch.dict(prepare_images.SETS, {"mnist": (("http://one/", "http://two/"), sums)})
        patch.start()
        self.addCleanup(patch.stop)

    def test_published_files_are_kept_byte_for_byte_and_not_written_twice(self):
        code, _ = run("mnist", "--input", self.folder / "in", "--output", self.folder / "out")
        self.assertEqual(code, 0)
        for name, data in self.originals.items():
            self.assertEqual((self.folder / "out/mnist" / name).read_bytes(), data)
        code, said = run("mnist", "--input", self.folder / "nowhere", "--output", self.folder / "out")
        self.assertEqual((code, said.count("was there")), (0, 4))

    def test_other_files_are_refused_and_missing_ones_are_named(self):
        (self.folder / "in" / prepare_images.FILES[1]).write_bytes(b"other")
        code, said = run("mnist", "--input", self.folder / "in", "--output", self.folder / "out")
        self.assertEqual(code, 3)
        self.assertIn("train-labels-idx1-ubyte.gz: MD5 is", said)
        self.assertFalse((self.folder / "out/mnist" / prepare_images.FILES[1]).exists())
        (self.folder / "in" / prepare_images.FILES[1]).unlink()
        code, said = run("mnist", "--input", self.folder / "in", "--output", self.folder / "out")
        self.assertEqual(code, 3)
        self.assertIn("lacks train-labels-idx1-ubyte.gz\nit comes from http://one/", said)

    def test_the_second_site_is_asked_where_the_first_fails(self):
        def answer(url, timeout):
            if url.startswith("http://one/"):
                raise OSError("no route")
            return io.BytesIO(self.originals[url.removeprefix("http://two/")])

        with mock.patch("urllib.request.urlopen", answer):
            self.assertEqual(run("mnist", "--output", self.folder / "out")[0], 0)
        with mock.patch("urllib.request.urlopen", mock.Mock(side_effect=OSError("no route"))):
            code, said = run("mnist", "--output", self.folder / "else")
        self.assertEqual((code, said.count("no route")), (3, 2))

    def test_the_balanced_split_comes_out_of_the_archive(self):
        archive = self.folder / "in/gzip.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for name in (*prepare_images.EMNIST_FILES, "emnist-letters-mapping.txt"):
                packed.writestr(f"gzip/{name}", name)
        with mock.patch.object(prepare_images, "EMNIST_MD5", prepare_images.md5(archive.read_bytes())):
            code, _ = run("emnist", "--input", self.folder / "in", "--output", self.folder / "out")
        self.assertEqual(code, 0)
        written = {path.name for path in (self.folder / "out/emnist").iterdir()}
        self.assertEqual(written, {*prepare_images.EMNIST_FILES, "meta.json"})

    def test_digits_become_idx_files(self):
        line = ",".join(map(str, [*range(16), 16] + [0.0] * 47 + [7]))
        files = prepare_images.digits_of("\n".join([line] * prepare_images.DIGITS))
        self.assertEqual(files["test-labels"], bytes([0, 0, 8, 1, 0, 0, 1, 104]) + b"\7" * 360)
        self.assertEqual(files["train-images"][:16], bytes([0, 0, 8, 3, 0, 0, 5, 157, 0, 0, 0, 8, 0, 0, 0, 8]))
        self.assertEqual(len(files["train-images"]), 16 + 1437 * 64)
        with self.assertRaises(prepare_images.DataProblem):
            prepare_images.digits_of(line)


if __name__ == "__main__":
    unittest.main()
