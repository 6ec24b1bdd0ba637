"""The published text pipelines: sacremoses and subword-nmt held to what the Perl scripts of Moses do."""

import contextlib
import io
import re
import sys

try:
    from sacremoses import MosesPunctNormalizer, MosesTokenizer
    from subword_nmt.apply_bpe import BPE
    from subword_nmt.learn_bpe import learn_bpe
except ImportError:
    sys.exit("this needs sacremoses and subword-nmt: "
             "python3 -m pip install -r data_tools/requirements-translation.txt")


def lower(line):
    """lowercase.perl: character by character, so that no sigma knows that it ends a word."""
    return "".join(map(str.lower, line)) if "\u03A3" in line else line.lower()


def tokenizer(language):
    """tokenizer.perl -l LANGUAGE, escaping on: line -> line."""
    tokenize = MosesTokenizer(language).tokenize
    return lambda line: tokenize(line, return_str=True)


def normalizer(language):
    """normalize-punctuation.perl -l LANGUAGE: line -> line. Perl's lines end in a newline, which one rule wants to see,
    and it makes a double quote of the three single ones that sacremoses makes single."""
    normalizer = MosesPunctNormalizer(language, perl_parity=True)
    normalizer.substitutions = [
        (pattern, '"' if pattern in ("\u2018", "\u2019", "\u201A") else to) for pattern, to in normalizer.substitutions]
    return lambda line: normalizer.normalize(line + "\n")


def clean(source, target, most_words=175, most_ratio=1.5):
    """clean-corpus-n.perl -ratio: the pair with single blanks, or None where it is dropped."""
    source, target = (re.sub(r"\s+", " ", line).strip(" ") for line in (source, target))
    words = sorted(len(line.split(" ")) if line else 0 for line in (source, target))
    return (source, target) if 1 <= words[0] and words[1] <= most_words and words[1] <= most_ratio * words[0] else None


def learn_codes(lines, merges):
    """learn_bpe.py -s MERGES over these lines: the file of codes."""
    codes = io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()):  # its bar of progress
        learn_bpe(io.StringIO("".join(line + "\n" for line in lines)), codes, merges)
    return codes.getvalue().encode()


def code_applier(codes):
    """apply_bpe.py: line -> line."""
    return BPE(io.StringIO(codes.decode())).process_line
