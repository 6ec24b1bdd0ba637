#!/usr/bin/env python3
"""Runs ctest in a build folder and counts test cases over all programs.

ctest counts programs; a reader wants cases. Each program's own words (Catch2's or Python unittest's) are read from ctest's
log. What was skipped is listed as `skipped: REASON [CASES]` and counted apart. The last line printed is `N passed, N failed`;
the exit status is ctest's.

Usage: run_tests.py BUILD [ctest arguments]
"""
import os
import pathlib
import re
import subprocess
import sys

SECTION = re.compile(r"^\d+/\d+ Testing: \S+$", re.MULTILINE)
ALL_PASSED = re.compile(r"^All tests passed \(.*?in (\d+) test cases?\)", re.MULTILINE)
SOME_FAILED = re.compile(r"^test cases:\s*(\d+) \|(.*)$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\n+(OK|FAILED)(.*)$", re.MULTILINE)
# tests/support/skip.hpp, and `unittest -v`, which writes the first line of a docstring below a test's name.
CATCH_SKIPPED = re.compile(r"^skipped: (.*) \[([^][]*)\]$", re.MULTILINE)
UNITTEST_SKIPPED = re.compile(r"^(\w+) \(([\w.]+)\)(?:\n.*)? \.\.\. skipped (['\"])(.*)\3$", re.MULTILINE)
NAMED = 3  # cases that a line of skipped ones names


def skipped_cases(section):
    """(reason, case) of each that one program's section of the log calls skipped."""
    said = [match.groups() for match in CATCH_SKIPPED.finditer(section)]
    said += [(reason, f"{where.removesuffix(f'.{test}')}.{test}")
             for test, where, _, reason in UNITTEST_SKIPPED.findall(section)]
    counted = sum(int(number) for number in re.findall(r"^(?:OK|FAILED) \(.*?skipped=(\d+)", section, re.MULTILINE))
    return said + [("no reason was given", f"case {number}") for number in range(len(said), counted)]


def count_cases(section):
    """(passed, failed) of one program's section of the log; what was skipped did not pass. A program that failed without
    saying how counts as one."""
    passed = failed = 0
    if match := ALL_PASSED.search(section):
        passed = int(match.group(1))
    elif match := SOME_FAILED.search(section):
        numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", match.group(2))}
        passed, failed = numbers.get("passed", 0), numbers.get("failed", 0)
    elif match := UNITTEST.search(section):
        failed = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", match.group(3)))
        passed = int(match.group(1)) - failed
    passed = max(0, passed - len({case for _, case in skipped_cases(section)}))
    # A time-out or a crash at exit: ctest is the better witness.
    if "\nTest Passed.\n" not in section:
        failed = max(failed, 1)
    return passed, failed


def sections(text):
    """The programs' parts of the log that ctest keeps of its last run."""
    starts = [match.start() for match in SECTION.finditer(text)] + [len(text)]
    return [text[start:end] for start, end in zip(starts, starts[1:])]


def count_log(text):
    """Sums of count_cases over the log."""
    counts = [count_cases(section) for section in sections(text)]
    return sum(passed for passed, _ in counts), sum(failed for _, failed in counts)


def skipped_lines(text):
    """A line for each reason for which the log has skipped cases."""
    cases = {}
    for section in sections(text):
        for reason, case in skipped_cases(section):
            cases.setdefault(reason, {})[case] = None
    for reason, names in sorted(cases.items()):
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"skipped: {reason} [{'; '.join(list(names)[:NAMED])}{more}]"


def main():
    build = pathlib.Path(sys.argv[1])
    log = build / "Testing/Temporary/LastTest.log"
    log.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error", *sys.argv[2:]]
    status = subprocess.run(command, env={"CTEST_PARALLEL_LEVEL": str(os.cpu_count()), **os.environ}).returncode
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    for line in skipped_lines(text):
        print(line)
    passed, failed = count_log(text)
    print(f"{passed} passed, {failed if status == 0 else max(failed, 1)} failed")
    return status


if __name__ == "__main__":
    sys.exit(main())
