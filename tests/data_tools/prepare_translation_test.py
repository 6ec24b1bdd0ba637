"""The converters of parallel text on small originals made here, and on the published ones where a shared folder has them;
what needs sacremoses and subword-nmt is skipped where they are absent."""

import contextlib
import gzip
import io
import json
import os
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data_tools"))
import parallel_files  # noqa: E402 (needs the path above)
import prepare_iwslt17  # noqa: E402
import prepare_multi30k  # noqa: E402
import ted_talks  # noqa: E402

try:
    import sacremoses  # noqa: F401
    import subword_nmt  # noqa: F401
except ImportError:
    moses_text = prepare_iwslt14 = None
else:
    import moses_text
    import prepare_iwslt14

needs_moses = unittest.skipIf(moses_text is None,
                              "this Python has no sacremoses and subword-nmt (data_tools/requirements-translation.txt)")


def shared(relative):
    path = Path(os.environ.get("SST_SHARED", ROOT.parent / "shared")) / relative
    if not path.exists():
        raise unittest.SkipTest(f"{relative} is not in the shared folder")
    return path


def vectors(part):
    return json.loads(shared("spec/mt_text_vectors.json").read_text())[part]


def xml(sentences):
    body = "\n".join(f'<seg id="{i}"> {text} </seg>' for i, text in enumerate(sentences, start=1))
    return f"<?xml version=\"1.0\"?>\n<doc>\n<title>A & B</title>\n{body}\n</doc>\n"


def tgz(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


class Converter(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.input, self.output = Path(folder.name) / "in", Path(folder.name) / "out"
        self.input.mkdir()

    def run_tool(self, tool, *more, source=None):
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = tool.main(["--input", str(source or self.input), "--output", str(self.output), *more])
        return code, out.getvalue(), error.getvalue()

    def originals(self):
        originals = parallel_files.Originals(self.input)
        self.addCleanup(originals.__exit__)
        return originals

    def lines(self, name):
        return (self.output / name).read_bytes().decode().split("\n")[:-1]


class Originals(Converter):
    def test_files_are_found_in_archives_inside_archives(self):
        inner = tgz({"de-en/a.de": "deutsch\r\n", "de-en/.a.en": "hidden", "de-en/c.de.gz": gzip.compress(b"gz\n")})
        (self.input / "outer.tgz").write_bytes(tgz({"texts/de-en.tgz": inner}))
        with zipfile.ZipFile(self.input / "more.zip", "w") as archive:
            archive.writestr("x/b.en", "english\n")
        originals = self.originals()
        self.assertEqual(originals.find("absent", "a.de"), "a.de")
        self.assertEqual(originals.lines("a.de"), ["deutsch"])
        self.assertEqual(originals.lines(originals.find("c.de")), ["gz"])
        self.assertEqual(originals.lines(originals.find("b.en")), ["english"])
        self.assertIsNone(originals.find(".a.en", "a.en"))
        self.assertIn("de-en.tgz", originals.where("a.de"))

    def test_only_a_newline_ends_a_line_and_malformed_text_is_located(self):
        self.assertEqual(parallel_files.lines_of("a\u0085b\u2028\x0bc\n\nd".encode(), "x"), ["a\u0085b\u2028\x0bc", "", "d"])
        with self.assertRaisesRegex(parallel_files.DataProblem, "x, line 2: byte 3 is not UTF-8"):
            parallel_files.lines_of(b"good\nba\xff\n", "x")

    def test_a_damaged_archive_is_named_when_it_is_needed(self):
        for name in ("z.tgz", "z.zip"):
            (self.input / name).write_bytes(tgz({"a.de": "text"})[:20])
            (self.input / "a.en").write_text("there\n")
            originals = self.originals()
            self.assertEqual(originals.find("a.en"), "a.en")
            with self.assertRaisesRegex(parallel_files.DataProblem, f"{name}: not readable as an archive"):
                originals.find("a.de")
            (self.input / name).unlink()

    def test_segments_keep_entities_and_inner_blanks(self):
        self.assertEqual(ted_talks.segments(xml(["a  &amp; b", "c"]).split("\n"), "x"), ["a  &amp; b", "c"])
        with self.assertRaisesRegex(parallel_files.DataProblem, "x, line 1: not one whole"):
            ted_talks.segments(['<seg id="1"> cut'], "x")


class Multi30kFiles(Converter):
    SENTENCES = {"de": "Ein Mann. ", "en": "A man.\u00a0"}

    def write(self, split, count):
        for language, sentence in self.SENTENCES.items():
            (self.input / f"{split}.{language}.gz").write_bytes(gzip.compress(f"{sentence}\n".encode() * count))

    def write_all(self):
        for split in prepare_multi30k.REQUIRED:
            self.write(split, 3)


class Multi30k(Multi30kFiles):
    def test_files_are_unpacked_byte_for_byte_and_once(self):
        self.write_all()
        code, out, error = self.run_tool(prepare_multi30k, "--unpublished")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual((self.output / "val.en").read_bytes(), "A man.\u00a0\n".encode() * 3)
        stamp = (self.output / "val.en").stat().st_mtime_ns
        self.assertIn("was there", self.run_tool(prepare_multi30k, "--unpublished")[1])
        (self.output / "train.de").write_text("damaged")
        self.assertEqual(self.run_tool(prepare_multi30k, "--unpublished")[0], 0)
        self.assertEqual(len(self.lines("train.de")), 3)
        self.assertGreater((self.output / "val.en").stat().st_mtime_ns, stamp)

    def test_what_is_missing_and_what_is_not_the_published_text_is_said(self):
        self.write("train", 3)
        code, _, error = self.run_tool(prepare_multi30k)
        self.assertEqual(code, 3)
        for name in ("val.de", "val.en", "test_2016_flickr.de", "github.com/multi30k/dataset"):
            self.assertIn(name, error)
        self.write_all()
        self.assertIn("train.de: number of lines: 3, published is 29,000", self.run_tool(prepare_multi30k)[2])
        (self.input / "val.de.gz").write_bytes(gzip.compress(b"one\n"))
        code, _, error = self.run_tool(prepare_multi30k, "--unpublished")
        self.assertEqual(code, 3)
        self.assertIn("numbers of lines differ: val.de has 1, val.en has 3", error)
        self.assertFalse(self.output.exists())

    def test_the_published_files_pass(self):
        code, _, error = self.run_tool(prepare_multi30k, "--languages", "en", "de", "fr", source=shared("data/multi30k"))
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(len(list(self.output.glob("*.fr"))), 5)
        self.assertEqual(len(self.lines("train.de")), 29000)


@needs_moses
class Multi30kMoses(Multi30kFiles):
    def test_the_tokenised_form_and_its_subwords_come_out(self):
        self.write_all()
        self.assertEqual(self.run_tool(prepare_multi30k, "--unpublished", "--moses")[0], 0)
        self.assertEqual(self.lines("moses/val.de"), ["ein mann ."] * 3)
        self.assertEqual([line.replace("@@ ", "") for line in self.lines("moses/bpe/val.de")], ["ein mann ."] * 3)
        self.assertTrue(self.lines("moses/bpe.codes")[0].startswith("#version"))

    def test_moses_rules_give_the_publishers_own_tokenised_files(self):
        folder = shared("data/multi30k")
        for language in ("de", "en", "fr"):
            normalize, tokenize = moses_text.normalizer(language), moses_text.tokenizer(language)
            for split in ("val", "test_2016_flickr"):
                raw = parallel_files.lines_of((folder / f"{split}.{language}").read_bytes(), split)
                packed = folder / "tok" / f"{split}.lc.norm.tok.{language}.gz"
                wanted = parallel_files.lines_of(gzip.decompress(packed.read_bytes()), split)
                ours = [tokenize(normalize(moses_text.lower(line))) for line in raw]
                self.assertEqual([pair for pair in zip(ours, wanted) if pair[0] != pair[1]], [])


@needs_moses
class MosesText(unittest.TestCase):
    def test_pipelines_are_moses(self):
        for case in vectors("truecase_free_pipelines"):
            normalize, tokenize = moses_text.normalizer(case["lang"]), moses_text.tokenizer(case["lang"])
            text = case["input"]
            self.assertEqual(moses_text.lower(tokenize(text)), case["iwslt_tokenise_lowercase"])
            self.assertEqual(tokenize(normalize(moses_text.lower(text))), case["multi30k_lowercase_normalise_tokenise"])

    def test_tokenisation_is_moses(self):
        for case in vectors("tokenizer"):
            if not case.get("no_escape"):
                self.assertEqual(moses_text.tokenizer(case["lang"])(case["input"]), case["output"])

    def test_cleaning_is_moses(self):
        for case in vectors("cleaning")["cases"]:
            self.assertEqual(moses_text.clean(case["source"], case["target"]) is not None, case["keep"])

    def test_codes_and_subwords_are_subword_nmts(self):
        bpe = vectors("bpe")
        codes = moses_text.learn_codes(bpe["training_text"], bpe["merges"])
        self.assertEqual(codes.decode().split("\n")[:-1], bpe["codes"])
        apply = moses_text.code_applier(codes)
        for case in bpe["apply"]:
            self.assertEqual(apply(case["input"]), case["output"])


def ted_files(year, parts, pair="de-en"):
    return {f"IWSLT{year}.{part}.{pair}.{language}.xml": xml([f"{part} {language} it\u2019s {i}." for i in range(count)])
            for part, count in parts.items() for language in ("de", "en")}


@needs_moses
class Iwslt14(Converter):
    def archive(self):
        train = {}
        for language, words in (("de", "Das ist Satz"), ("en", "This is sentence")):
            lines = ["<url>http://x</url>", "<keywords>k</keywords>", "<title>Ein Titel</title>", "<talkid>1</talkid>"]
            lines += [f"{words} {i} & mehr\u2019s ." for i in range(50)]
            lines += ["", "too long " * 100, "a b c d" if language == "de" else "a b"]
            train[f"de-en/train.tags.de-en.{language}"] = "\n".join(lines) + "\n"
        sets = {part: 2 for part in prepare_iwslt14.TEST_SETS}
        return {**train, **{f"de-en/{name}": text for name, text in ted_files(14, sets).items()}}

    def test_the_pipeline_runs_on_an_archive_of_the_published_layout(self):
        (self.input / "de-en.tgz").write_bytes(tgz(self.archive()))
        code, _, error = self.run_tool(prepare_iwslt14, "--unpublished")
        self.assertEqual((code, error), (0, ""))
        # 51 pairs are kept: the title and 50 sentences; numbers 23 and 46 are validation.
        self.assertEqual(self.lines("train.de")[:2], ["ein titel", "das ist satz 0 &amp; mehr \u2019 s ."])
        self.assertEqual(self.lines("valid.en"), [f"this is sentence {i} &amp; mehr \u2019 s ." for i in (21, 44)])
        self.assertEqual(len(self.lines("train.en")), 49)
        self.assertEqual(self.lines("test.en")[2], "tedx.dev2012 en it &apos;s 0 .")
        self.assertEqual(len(self.lines("test.de")), 10)
        for name in ("train.de", "valid.en", "test.en"):
            self.assertEqual([line.replace("@@ ", "") for line in self.lines(f"bpe/{name}")], self.lines(name))
        self.assertIn("was there", self.run_tool(prepare_iwslt14, "--unpublished")[1])

    def test_counts_that_are_not_the_published_ones_are_refused(self):
        (self.input / "de-en.tgz").write_bytes(tgz(self.archive()))
        code, _, error = self.run_tool(prepare_iwslt14)
        self.assertEqual(code, 3)
        self.assertIn("TED.dev2010: number of segments: 2, published is 887", error)
        self.assertFalse(self.output.exists())

    def test_the_shared_evaluation_talks_give_the_published_test_set(self):
        source = shared("data/iwslt")
        code, _, error = self.run_tool(prepare_iwslt14, source=source)
        self.assertEqual(code, 3)
        for word in ("train.tags.de-en.de", "de-en.tgz", "160,239", "7,283", "6,750", "--without-train"):
            self.assertIn(word, error)
        self.assertEqual(self.run_tool(prepare_iwslt14, "--without-train", source=source)[0], 0)
        self.assertEqual(len(self.lines("test.de")), 6750)
        self.assertNotIn("\u2019", "".join(self.lines("test.en")))


class Iwslt17(Converter):
    def test_an_archive_in_the_campaigns_archive_becomes_raw_text(self):
        files = ted_files(17, {"TED.dev2010": 2, "TED.tst2010": 3, "TED.tst2015": 4})
        for language in ("de", "en"):
            files[f"train.tags.de-en.{language}"] = f"<doc>\n<title>no</title>\n First {language} &amp; it\u2019s \nSecond\n</doc>\n"
        inner = tgz({f"de-en/{name}": text for name, text in files.items()})
        (self.input / "2017-01-trnted.tgz").write_bytes(tgz({"2017-01-trnted/texts/de/en/de-en.tgz": inner}))
        code, _, error = self.run_tool(prepare_iwslt17, "--unpublished")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(self.lines("train.en"), ["First en &amp; it\u2019s", "Second"])
        self.assertEqual(self.lines("valid.de"), [f"TED.dev2010 de it\u2019s {i}." for i in range(2)])
        self.assertEqual(len(self.lines("test.en")), 3)
        self.assertEqual(self.run_tool(prepare_iwslt17, "--unpublished", "--test-set", "tst2015")[0], 0)
        self.assertEqual(len(self.lines("test.en")), 4)
        self.assertIn("train: number of pairs: 2, published is 206,112", self.run_tool(prepare_iwslt17)[2])

    def test_the_shared_evaluation_talks_are_the_published_ones(self):
        source = shared("data/iwslt")
        code, _, error = self.run_tool(prepare_iwslt17, source=source)
        self.assertEqual(code, 3)
        for word in ("train.tags.de-en.de", "2017-01-trnted", "206,112", "--without-train"):
            self.assertIn(word, error)
        for part, count in prepare_iwslt17.SEGMENTS.items():
            if part != "dev2010":
                self.assertEqual(self.run_tool(prepare_iwslt17, "--without-train", "--test-set", part, source=source)[0], 0)
                self.assertEqual(len(self.lines("test.de")), count)


if __name__ == "__main__":
    unittest.main()
