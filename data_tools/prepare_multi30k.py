#!/usr/bin/env python3
"""Turn Multi30K's task 1 as published into plain parallel text.

    python3 data_tools/prepare_multi30k.py --input ORIGINALS [--languages de en] [--output data/multi30k] [--moses]

ORIGINALS is a clone of https://github.com/multi30k/dataset, its folder data/task1/raw, an archive of either, or the
unpacked files: train, val, test_2016_flickr and, where they are there, test_2017_flickr and test_2017_mscoco. Every file
must be the published one. --moses also writes moses/: lower-cased, punctuation normalised and tokenised by Moses' rules,
and cut by a joint BPE of 10,000 merges, as most publications do; it needs data_tools/requirements-translation.txt.

Exit codes: 0 done, 2 wrong command line, 3 data missing, malformed or not the published ones.
"""

import argparse
import sys
from pathlib import Path

from parallel_files import Output, as_file, check_pairs, check_published, lines_of, run_converter, sha256

ORIGIN = ("they come from https://github.com/multi30k/dataset (data/task1/raw/*.gz):\n"
          "  git clone --depth 1 https://github.com/multi30k/dataset")
REQUIRED, OPTIONAL = ("train", "val", "test_2016_flickr"), ("test_2017_flickr", "test_2017_mscoco")
LINES = {"train": 29000, "val": 1014, "test_2016_flickr": 1000, "test_2017_flickr": 1000, "test_2017_mscoco": 461}
MERGES = 10_000
SUMS = {
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.fr": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
    "test_2017_flickr.en": "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98",
    "test_2017_flickr.de": "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081",
    "test_2017_flickr.fr": "6f3764e31dac41e9455e612958bcfd4e877c5e15cd66df2c2b2be6d9bd83e5b6",
    "test_2017_mscoco.en": "43051fdfa86fd5395182e718a94ca67b1b227b9f7c79596ff0f6b813216981d2",
    "test_2017_mscoco.de": "58277df3c75f92f7145a11b910b553d1cf82c439249d4dc237c899609eafac22",
    "test_2017_mscoco.fr": "39cde3f43f32b0a6bf29ce4917a46329ff32e53070c2fac87506695a740ae0a0",
}


def read(originals, options):
    """{name: bytes} of the splits, checked."""
    wanted = [f"{split}.{language}" for split in REQUIRED for language in options.languages]
    originals.require({name: [name] for name in wanted}, ORIGIN)
    for split in OPTIONAL:
        names = [f"{split}.{language}" for language in options.languages]
        if all(originals.find(name) for name in names):
            wanted += names
    files = {name: originals.read(name) for name in wanted}
    for split in (*REQUIRED, *OPTIONAL):
        names = [name for name in wanted if name.rpartition(".")[0] == split]
        sides = [lines_of(files[name], originals.where(name)) for name in names]
        check_pairs(sides, names)
        for name, side in zip(names, sides):
            check_published(f"{name}: number of lines", len(side), LINES[split], options.unpublished)
            check_published(f"{name}: SHA-256", sha256(files[name]), SUMS[name], options.unpublished)
    return files


def with_moses(files, languages):
    """moses/SPLIT.L and moses/bpe.codes: what Moses' scripts and subword-nmt make of the files."""
    import moses_text

    tokenized = {}
    for name, data in files.items():
        language = name.rpartition(".")[2]
        normalize, tokenize = moses_text.normalizer(language), moses_text.tokenizer(language)
        tokenized[name] = [tokenize(normalize(moses_text.lower(line))) for line in lines_of(data, name)]
    codes = moses_text.learn_codes([line for language in languages for line in tokenized[f"train.{language}"]], MERGES)
    apply = moses_text.code_applier(codes)
    made = {"moses/bpe.codes": codes}
    for name, lines in tokenized.items():
        made[f"moses/{name}"] = as_file(lines)
        made[f"moses/bpe/{name}"] = as_file(map(apply, lines))
    return made


def prepare(originals, options):
    files = read(originals, options)
    output = Output(options.output, {"moses": options.moses, "inputs": {name: sha256(data) for name, data in files.items()}})
    if output.is_current():
        print(f"{options.output}: was there")
        return
    output.write({**files, **(with_moses(files, options.languages) if options.moses else {})})


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder or archive with the originals")
    parser.add_argument("--output", type=Path, default=Path("data/multi30k"), help="default: %(default)s")
    parser.add_argument("--languages", nargs="+", choices=("de", "en", "fr"), default=["de", "en"], help="default: de en")
    parser.add_argument("--moses", action="store_true", help="also the tokenised, lower-cased form, with and without BPE")
    parser.add_argument("--unpublished", action="store_true", help="accept files that are not the published ones")
    return parser.parse_args(arguments)


def main(arguments=None):
    return run_converter("prepare_multi30k.py", prepare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
