#!/usr/bin/env python3
"""Runs ctest in a build folder and counts test cases over all programs.

ctest counts programs; a reader wants cases. Each program's own last words (Catch2's or Python unittest's) are read from
ctest's log. The last line printed is `N passed, N failed`; the exit status is ctest's.

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


def count_cases(section):
    """(passed, failed) of one program's section of the log. A program that failed without saying how counts as one."""
    passed = failed = 0
    if match := ALL_PASSED.search(section):
        passed = int(match.group(1))
    elif match := SOME_FAILED.search(section):
        numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", match.group(2))}
        passed, failed = numbers.get("passed", 0), numbers.get("failed", 0)
    elif match := UNITTEST.search(section):
        failed = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", match.group(3)))
        passed = int(match.group(1)) - failed
    # A time-out or a crash at exit: ctest is the better witness.
    if "\nTest Passed.\n" not in section:
        failed = max(failed, 1)
    return passed, failed


def count_log(text):
    """Sums of count_cases over the log that ctest keeps of its last run."""
    starts = [match.start() for match in SECTION.finditer(text)] + [len(text)]
    counts = [count_cases(text[start:end]) for start, end in zip(starts, starts[1:])]
    return sum(passed for passed, _ in counts), sum(failed for _, failed in counts)


def main():
    build = pathlib.Path(sys.argv[1])
    log = build / "Testing/Temporary/LastTest.log"
    log.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error", *sys.argv[2:]]
    status = subprocess.run(command, env={"CTEST_PARALLEL_LEVEL": str(os.cpu_count()), **os.environ}).returncode
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    for line in sorted(set(re.findall(r"^skipped: .*$", text, re.MULTILINE))):
        print(line)
    passed, failed = count_log(text)
    print(f"{passed} passed, {failed if status == 0 else max(failed, 1)} failed")
    return status


if __name__ == "__main__":
    sys.exit(main())
