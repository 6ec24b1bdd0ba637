#!/usr/bin/env python3
"""Writes unicode_ranges.inc: the code points of \\p{L}, \\p{N} and White_Space, from Unicode 16.0.

    pip install unicodedata2==16.0.0 && python3 lib/text/write_unicode_classes.py
"""
import pathlib

import unicodedata2

UNICODE = "16.0.0"
# White_Space has been the same since Unicode 6.3; unicodedata does not know it.
WHITE_SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
PER_LINE = 5


def class_of(code_point):
    if code_point in WHITE_SPACE:
        return "kSpace"
    return {"L": "kLetter", "N": "kNumber"}.get(unicodedata2.category(chr(code_point))[0])


def ranges():
    """(class, first, last) in rising order."""
    start = 0
    for code_point in range(1, 0x110001):
        name = class_of(start)
        if code_point == 0x110000 or class_of(code_point) != name:
            if name:
                yield name, start, code_point - 1
            start = code_point


def main():
    assert unicodedata2.unidata_version == UNICODE
    lines = [f"// Unicode {UNICODE}; written by write_unicode_classes.py"]
    found = list(ranges())
    for name in ("kLetter", "kNumber", "kSpace"):
        entries = [f"{{0x{first:04X}, 0x{last:04X}}}" for kind, first, last in found if kind == name]
        lines.append(f"constexpr CodePoints {name}Ranges[] = {{")
        lines += ["    " + ", ".join(entries[i : i + PER_LINE]) + "," for i in range(0, len(entries), PER_LINE)]
        lines.append("};")
    pathlib.Path(__file__).with_name("unicode_ranges.inc").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
