#!/usr/bin/env python3
"""Refuses an include against the arrows of the house.

The arrows are the DEPENDS lists of lib/CMakeLists.txt and nothing else: a folder may include itself, the folders it
names there and what those name. The file also refuses
  - LibTorch in a library that is not marked TORCH there (core, recipe, text, metrics, report),
  - <torch/torch.h> in a header other than the precompiled one,
  - spdlog anywhere but in lib/core/log.cpp,
  - Catch2 anywhere but in tests/support (its version is chosen there),
  - ".." in an include, and an include of ours that does not start at lib/.

Usage: check_layers.py [ROOT]     prints file:line: and the rule for each offence, and exits 1 if there is one
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
LIBRARY = re.compile(r"^\s*sst_library\(([^)]*)\)", re.MULTILINE)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")


def read_libraries(cmake_text):
    """name -> (names it may include, itself among them; whether it stands on LibTorch)"""
    direct, uses_torch = {}, {}
    for call in LIBRARY.findall(cmake_text):
        name, *words = call.split()
        keyword = None
        direct[name], uses_torch[name] = set(), "TORCH" in words
        for word in words:
            if word in ("TORCH", "DEPENDS", "LINK"):
                keyword = word
            elif keyword == "DEPENDS":
                direct[name].add(word)
    allowed = {}
    for name in direct:
        reached, to_visit = set(), [name]
        while to_visit:
            folder = to_visit.pop()
            if folder not in direct:
                sys.exit(f"lib/CMakeLists.txt: {name} depends on {folder}, which is no library there")
            if folder not in reached:
                reached.add(folder)
                to_visit.extend(direct[folder])
        allowed[name] = reached
    return {name: (allowed[name], uses_torch[name]) for name in direct}


def includes(path):
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match.group(1) == '"', match.group(2)


def rule_broken(relative, quoted, included, libraries):
    """The sentence that says which rule the include breaks, or None."""
    top, folder = relative.parts[0], relative.parts[1]
    target = included.split("/")[0]
    where = relative.as_posix()
    if ".." in pathlib.PurePosixPath(included).parts:
        return 'no ".." in an include; write the path from lib/'
    if included.startswith("spdlog/") and where != "lib/core/log.cpp":
        return "spdlog is lib/core/log.cpp's alone; use core/log.hpp"
    if included.startswith("catch2/") and relative.parts[:2] != ("tests", "support"):
        return "include tests/support/catch.hpp, which knows both versions of Catch2"
    if included == "torch/torch.h" and relative.suffix == ".hpp" and where != "lib/tensor/pch.hpp":
        return "headers include <torch/types.h> or one module header, never all of LibTorch"
    if top != "lib":
        return None
    allowed, uses_torch = libraries[folder]
    if TORCH.match(included) and not uses_torch:
        return f"{folder} contains no LibTorch (it is not marked TORCH in lib/CMakeLists.txt)"
    if quoted and "/" not in included:
        return f'write the path from lib/: "{folder}/{included}"'
    if target in libraries and target not in allowed:
        return f"{folder} may include {', '.join(sorted(allowed))}; not {target}"
    if quoted and target not in libraries and not TORCH.match(included):
        return f"{target} is no folder of lib/; headers of other projects stand in <>"
    return None


def offences(root):
    libraries = read_libraries((root / "lib/CMakeLists.txt").read_text(encoding="utf-8"))
    sources = sorted(
        path for top in ("lib", "apps", "tests") for path in (root / top).rglob("*") if path.suffix in (".hpp", ".cpp", ".cu")
    )
    found = []
    for path in sources:
        relative = path.relative_to(root)
        if relative.parts[0] == "lib" and relative.parts[1] not in libraries:
            found.append(f"{relative}:1: lib/{relative.parts[1]} has no sst_library() line in lib/CMakeLists.txt")
            continue
        for number, quoted, included in includes(path):
            if rule := rule_broken(relative, quoted, included, libraries):
                found.append(f"{relative}:{number}: {included}: {rule}")
    return len(sources), found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    count, found = offences(root)
    print("\n".join([*found, f"layers: {count} files, {len(found)} includes against the rules"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
