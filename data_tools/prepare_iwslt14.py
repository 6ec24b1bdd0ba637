#!/usr/bin/env python3
"""Turn the German-English files of IWSLT'14 into the text that the translation papers train on.

    python3 data_tools/prepare_iwslt14.py --input ORIGINALS [--output data/iwslt14] [--without-train]

ORIGINALS is de-en.tgz (http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz), or a folder in which it lies,
packed or unpacked. The steps are those of fairseq's prepare-iwslt14.sh, which HyboNet used: Moses' tokeniser, pairs of 1
to 175 words and a ratio of at most 1.5, lower case; every 23rd pair is validation; the test set is dev2010, TEDX dev2012,
tst2010, tst2011 and tst2012; a joint BPE of 10,000 merges over German, then English. What comes out:

    train.L valid.L test.L      tokenised, lower-cased, no subwords: what translations are scored with
    bpe.codes                   subword-nmt's codes
    bpe/train.L …               the same with subwords, to train on

It needs data_tools/requirements-translation.txt. --without-train makes test.L alone, where the training text is absent.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import sys
from pathlib import Path

import moses_text
from parallel_files import Output, as_file, check_pairs, check_published, run_converter, sha256
from ted_talks import names_of, segments

LANGUAGES = ("de", "en")
YEARS = (14, 15, 16)  # later campaigns distribute the same segments
TEST_SETS = {"TED.dev2010": 887, "TEDX.dev2012": 1165, "TED.tst2010": 1565, "TED.tst2011": 1433, "TED.tst2012": 1700}
PAIRS = {"train": 160_239, "valid": 7_283, "test": 6_750}
# Of the test text, segment by segment as they come, before tokenisation.
TEST_SUMS = {"de": "626d1dd3a37e043028cdf333ecadd676ba832c9773b7d896793cc3c9160bb8a1",
             "en": "ddb498b75691c14b9680e55e12fc5b84506b5dbff768191bacc7034cfa526d42"}
MERGES = 10_000
VALID_EVERY = 23
ORIGIN = ("they are in http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz (IWSLT'14 of https://wit3.fbk.eu);\n"
          "expect 160,239 pairs for training, 7,283 for validation and 6,750 for testing\n"
          "--without-train makes the test text alone, from the .xml files")
DROPPED_LINES = ("<url>", "<talkid>", "<keywords>")
DROPPED_TAGS = ("<title>", "</title>", "<description>", "</description>")


def required(without_train):
    wanted = {(part, language): names_of(part, language, YEARS) for part in TEST_SETS for language in LANGUAGES}
    if not without_train:
        wanted |= {("train", language): [f"train.tags.de-en.{language}"] for language in LANGUAGES}
    return wanted


def test_text(originals, names, options):
    """{language: lines} before tokenisation."""
    texts = {language: [] for language in LANGUAGES}
    for part, published in TEST_SETS.items():
        sides = [segments(originals.lines(names[part, language]), names[part, language]) for language in LANGUAGES]
        check_pairs(sides, [names[part, language] for language in LANGUAGES])
        check_published(f"{part}: number of segments", len(sides[0]), published, options.unpublished)
        for language, side in zip(LANGUAGES, sides):
            texts[language] += side
    for language, lines in texts.items():
        check_published(f"test.{language}: SHA-256 of the segments", sha256(as_file(lines)), TEST_SUMS[language],
                        options.unpublished)
    return texts


def untagged(line):
    for tag in DROPPED_TAGS:
        line = line.replace(tag, "")
    return line


def training_pairs(originals, names):
    """Cleaned, lower-cased (German, English) in the order of the originals."""
    sides = []
    for language in LANGUAGES:
        tokenize = moses_text.tokenizer(language)
        lines = originals.lines(names["train", language])
        sides.append([tokenize(untagged(line)) for line in lines if not any(tag in line for tag in DROPPED_LINES)])
    check_pairs(sides, [f"{names['train', language]} without tags" for language in LANGUAGES])
    pairs = filter(None, (moses_text.clean(*pair) for pair in zip(*sides)))
    return [tuple(map(moses_text.lower, pair)) for pair in pairs]


def split(pairs):
    """{split: {language: lines}}"""
    parts = {"train": [], "valid": []}
    for number, pair in enumerate(pairs, start=1):
        parts["train" if number % VALID_EVERY else "valid"].append(pair)
    return {name: {language: [pair[side] for pair in part] for side, language in enumerate(LANGUAGES)}
            for name, part in parts.items()}


def made_from(originals, names, options):
    """{file: bytes}"""
    texts = {"test": {}}
    for language, lines in test_text(originals, names, options).items():
        tokenize = moses_text.tokenizer(language)
        texts["test"][language] = [moses_text.lower(tokenize(line.replace("\u2019", "'"))) for line in lines]
    if not options.without_train:
        texts = {**split(training_pairs(originals, names)), **texts}
    for name, sides in texts.items():
        check_published(f"{name}: number of pairs", len(sides["de"]), PAIRS[name], options.unpublished)
    files = {f"{name}.{language}": as_file(lines) for name, sides in texts.items() for language, lines in sides.items()}
    if options.without_train:
        return files
    codes = moses_text.learn_codes(texts["train"]["de"] + texts["train"]["en"], MERGES)
    apply = moses_text.code_applier(codes)
    files["bpe.codes"] = codes
    for name, sides in texts.items():
        files |= {f"bpe/{name}.{language}": as_file(map(apply, lines)) for language, lines in sides.items()}
    return files


def prepare(originals, options):
    names = originals.require(required(options.without_train), ORIGIN)
    output = Output(options.output, {"without_train": options.without_train,
                                     "inputs": {name: sha256(originals.read(name)) for name in names.values()}})
    if output.is_current():
        print(f"{options.output}: was there")
        return
    output.write(made_from(originals, names, options))


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder or archive with the originals")
    parser.add_argument("--output", type=Path, default=Path("data/iwslt14"), help="default: %(default)s")
    parser.add_argument("--without-train", action="store_true", help="make the test text alone")
    parser.add_argument("--unpublished", action="store_true", help="accept other numbers of pairs, other test text")
    return parser.parse_args(arguments)


def main(arguments=None):
    return run_converter("prepare_iwslt14.py", prepare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
