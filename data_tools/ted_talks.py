"""The files of the IWSLT campaigns: talks with tags around lines. No XML parser reads them all, and none is needed."""

import re

from parallel_files import DataProblem

SEGMENT = re.compile(r'<seg id="[0-9]+">\s*(.*?)\s*</seg>')


def segments(lines, where):
    """The sentences of a dev or test file, entities as they are."""
    found = []
    for number, line in enumerate(lines, start=1):
        if "<seg id=" not in line:
            continue
        match = SEGMENT.fullmatch(line.strip())
        if match is None:
            raise DataProblem(f"{where}, line {number}: not one whole <seg id=\"N\">…</seg>")
        found.append(match.group(1))
    if not found:
        raise DataProblem(f"{where}: there is no <seg id=\"N\"> in it")
    return found


def names_of(part, language, years):
    """What the campaigns call the dev or test set `part`, such as TED.dev2010."""
    return [f"IWSLT{year}.{part}.{pair}.{language}.xml" for year in years for pair in ("de-en", "en-de")]
