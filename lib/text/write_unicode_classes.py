#!/usr/bin/env python3
"""Writes what the program knows of Unicode 16.0:

    unicode_ranges.inc      the code points of \\p{L}, \\p{N} and White_Space
    unicode_properties.inc  those of \\p{P} and \\p{S}, lower case, and what decides the form of a small sigma

    pip install unicodedata2==16.0.0 && python3 lib/text/write_unicode_classes.py
"""
import pathlib

import unicodedata2

UNICODE = "16.0.0"
# White_Space has been the same since Unicode 6.3; unicodedata does not know it.
WHITE_SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
# Lower case comes from the interpreter, which may know an older Unicode; this is what versions 15 and 16 added.
NEW_LOWER = {0xA7CB: 0x264, 0xA7CC: 0xA7CD, 0xA7DA: 0xA7DB, 0xA7DC: 0x19B, **{c: c + 0x20 for c in range(0x10D50, 0x10D66)}}
LONG_LOWER = 0x130  # the one whose lower case is two code points; the program knows it
PER_LINE = 5
END = 0x110000


def category(code_point):
    return unicodedata2.category(chr(code_point))


def class_of(code_point):
    if code_point in WHITE_SPACE:
        return "kSpace"
    return {"L": "kLetter", "N": "kNumber"}.get(category(code_point)[0])


def mark_of(code_point):
    return {"P": "kPunctuation", "S": "kSymbol"}.get(category(code_point)[0])


def sigma_context(code_point):
    """What stands before or after a capital sigma: Cased, Case_Ignorable (which wins), or neither. Probed, since Python
    applies the two properties and does not show them."""

    def ends_word(before):
        return (before + "\u03A3").lower().endswith("\u03C2")

    if ends_word(chr(code_point)):
        return "kCased"
    if ends_word("A" + chr(code_point)) or category(code_point) in ("Mn", "Me", "Cf", "Lm", "Sk"):
        return "kCaseIgnorable"
    return "kCased" if category(code_point) in ("Lu", "Ll", "Lt") else None


def ranges(kind_of):
    """(kind, first, last) in rising order."""
    start = 0
    for code_point in range(1, END + 1):
        kind = kind_of(start)
        if code_point == END or kind_of(code_point) != kind:
            if kind:
                yield kind, start, code_point - 1
            start = code_point


def lower_of(code_point):
    return NEW_LOWER.get(code_point, ord(chr(code_point).lower()))


def lower_runs():
    """[first, last, step, distance to the lower case], steps of 1 or 2."""
    runs = []
    for code_point in range(END):
        if code_point == LONG_LOWER or lower_of(code_point) == code_point:
            continue
        distance = lower_of(code_point) - code_point
        if runs:
            first, last, step, its_distance = runs[-1]
            gap = code_point - last
            if distance == its_distance and gap <= 2 and (first == last or gap == step):
                runs[-1] = [first, code_point, gap, distance]
                continue
        runs.append([code_point, code_point, 1, distance])
    return runs


def check():
    assert unicodedata2.unidata_version == UNICODE
    assert [c for c in range(END) if len(chr(c).lower()) > 1] == [LONG_LOWER]
    for code_point, lower in NEW_LOWER.items():
        assert chr(code_point).lower() in (chr(code_point), chr(lower))


def table(kind, name, entries):
    yield f"constexpr {kind} {name}[] = {{"
    for start in range(0, len(entries), PER_LINE):
        yield "    " + ", ".join(entries[start : start + PER_LINE]) + ","
    yield "};"


def range_tables(kind_of, *kinds):
    found = list(ranges(kind_of))
    for kind in kinds:
        yield from table("CodePoints", f"{kind}Ranges",
                         [f"{{0x{first:04X}, 0x{last:04X}}}" for which, first, last in found if which == kind])


def write(name, lines):
    text = "\n".join([f"// Unicode {UNICODE}; written by write_unicode_classes.py", *lines]) + "\n"
    pathlib.Path(__file__).with_name(name).write_text(text, encoding="utf-8")


def main():
    check()
    write("unicode_ranges.inc", range_tables(class_of, "kLetter", "kNumber", "kSpace"))
    write("unicode_properties.inc", [
        *range_tables(mark_of, "kPunctuation", "kSymbol"),
        *range_tables(sigma_context, "kCased", "kCaseIgnorable"),
        *table("LowerRun", "kLowerRuns", [f"{{0x{first:04X}, 0x{last:04X}, {step}, {distance}}}"
                                          for first, last, step, distance in lower_runs()]),
    ])


if __name__ == "__main__":
    main()
