#!/usr/bin/env python3
"""Turn the German-English files of IWSLT'17 into plain parallel text.

    python3 data_tools/prepare_iwslt17.py --input ORIGINALS [--output data/iwslt17] [--test-set tst2015] [--without-train]

ORIGINALS is de-en.tgz of the archive 2017-01-trnted (texts/de/en), that archive itself, or a folder in which one of them
lies, packed or unpacked. train.L are the lines of train.tags.de-en.L that are no tags, valid.L is dev2010, test.L
tst2010 (what torchtext takes) or the set that --test-set names; raw text, cased, entities as they are. Evaluation files
must be the published ones. --without-train makes valid.L and test.L alone, where the training text is absent.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import sys
from pathlib import Path

from parallel_files import Output, as_file, check_pairs, check_published, run_converter, sha256
from ted_talks import names_of, segments

LANGUAGES = ("de", "en")
SEGMENTS = {"dev2010": 888, "tst2010": 1568, "tst2011": 1433, "tst2012": 1700, "tst2013": 993, "tst2014": 1305, "tst2015": 1080}
TRAIN_PAIRS = 206_112
# Of the segments of each set, as they come.
SUMS = {
    ("dev2010", "de"): "955b509e0add3c88813fb98d6793648855ded9791bc119927705b2f065cf2df8",
    ("dev2010", "en"): "332bdaf3fbb29189ace3bc36dbccbbf31db22540a3745544ce5a393d3b4ac90b",
    ("tst2010", "de"): "a1105ebc6a6179361d1d4927c744d98072c32e6fdedef6b7adae1c4231a40117",
    ("tst2010", "en"): "fa372dfa204fbecac9d24b77852f28d01fe94298c953ef1463da67d281b101c3",
    ("tst2011", "de"): "605877ad3a8c612344f6544c77a2cbcae0ab8f73dc9dca9c041a04e2703e2bab",
    ("tst2011", "en"): "84e1e460256adfd142e9c7faf9c036d98ead475218b59784069ec3790ea16444",
    ("tst2012", "de"): "cbb1d055154b82e81a2361d2e07c730ccd454c0651b976bf7b2feef718369e4b",
    ("tst2012", "en"): "6c38e3e0d86971a0e83f1f02018afc22d6b9833cbc6f2a7c876019ec07313540",
    ("tst2013", "de"): "8714f060ef14504194868e4733e0e643248fa01577dcfeff0bdcb345b7a5622b",
    ("tst2013", "en"): "15fd15e5cda7ddad9d5c589ebb25ddd0a602626f34cba8616a39f2d8a60041f6",
    ("tst2014", "de"): "66aa2e5c16a1c0e04b6c58e263e448edb6992f639736b57daf5c26733140c928",
    ("tst2014", "en"): "e82bfa58d4a170573826999a4852c496162a229f405eb488b3d6d385dbabcbaa",
    ("tst2015", "de"): "f572e22e860db7bfd4aef03fe7cfb237f6b44f5b74f7a14f1688d2f9b79741d7",
    ("tst2015", "en"): "21a4137fa698540f41e714ed9adfe06e35b622438398ac2dfb816ce9c2532f21",
}
ORIGIN = ("they are in texts/de/en/de-en.tgz of the archive 2017-01-trnted.tgz of https://wit3.fbk.eu (IWSLT'17); the\n"
          "data set IWSLT/iwslt2017 of the Hugging Face hub carries a copy; expect 206,112 pairs for training\n"
          "--without-train makes validation and test text alone, from the .xml files")


def required(options):
    wanted = {}
    for language in LANGUAGES:
        if not options.without_train:
            wanted["train", language] = [f"train.tags.{pair}.{language}" for pair in ("de-en", "en-de")]
        for part in ("dev2010", options.test_set):
            wanted[part, language] = names_of(f"TED.{part}", language, (17,))
    return wanted


def training_text(originals, names, options):
    sides = [[line.strip() for line in originals.lines(names["train", language]) if not line.lstrip().startswith("<")]
             for language in LANGUAGES]
    check_pairs(sides, [f"{names['train', language]} without tags" for language in LANGUAGES])
    check_published("train: number of pairs", len(sides[0]), TRAIN_PAIRS, options.unpublished)
    return sides


def evaluation_text(originals, names, part, options):
    sides = [segments(originals.lines(names[part, language]), names[part, language]) for language in LANGUAGES]
    check_pairs(sides, [names[part, language] for language in LANGUAGES])
    check_published(f"{part}: number of segments", len(sides[0]), SEGMENTS[part], options.unpublished)
    for language, side in zip(LANGUAGES, sides):
        check_published(f"{names[part, language]}: SHA-256 of the segments", sha256(as_file(side)), SUMS[part, language],
                        options.unpublished)
    return sides


def made_from(originals, names, options):
    """{file: bytes}"""
    texts = {} if options.without_train else {"train": training_text(originals, names, options)}
    texts["valid"] = evaluation_text(originals, names, "dev2010", options)
    texts["test"] = evaluation_text(originals, names, options.test_set, options)
    return {f"{name}.{language}": as_file(side)
            for name, sides in texts.items() for language, side in zip(LANGUAGES, sides)}


def prepare(originals, options):
    names = originals.require(required(options), ORIGIN)
    output = Output(options.output, {"without_train": options.without_train, "test_set": options.test_set,
                                     "inputs": {name: sha256(originals.read(name)) for name in names.values()}})
    if output.is_current():
        print(f"{options.output}: was there")
        return
    output.write(made_from(originals, names, options))


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder or archive with the originals")
    parser.add_argument("--output", type=Path, default=Path("data/iwslt17"), help="default: %(default)s")
    parser.add_argument("--test-set", choices=[part for part in SEGMENTS if part != "dev2010"], default="tst2010",
                        help="default: %(default)s")
    parser.add_argument("--without-train", action="store_true", help="make validation and test text alone")
    parser.add_argument("--unpublished", action="store_true", help="accept other numbers of pairs, other dev and test text")
    return parser.parse_args(arguments)


def main(arguments=None):
    return run_converter("prepare_iwslt17.py", prepare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
