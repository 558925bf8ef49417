"""A run of a suite for other programs: JUnit XML, annotations of GitHub and GitLab, and Markdown."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from postcopy.report.files.file_format import FileFormat
from postcopy.suites.entries import Judged, Run, Status

SIGNS = {
    Status.EXPECTED: "✓",
    Status.ACCEPTED: "✓",
    Status.UNEXPECTED: "✗",
    Status.INCONCLUSIVE: "?",
    Status.ERROR: "!",
}
"""A sign for each status."""

_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32)], " ")
"""Characters that XML does not have."""


def place(judged: Judged) -> tuple[str, int]:
    """The file and line that a judgement is shown at, from the current directory where that is possible."""
    if not judged.found.file:
        return "", 0
    return os.path.relpath(judged.found.file), judged.found.line


def junit(run: Run) -> str:
    """JUnit XML: a test case for each question. What is inconclusive or erred is an error, which is no failure."""
    suites = Element("testsuites")
    suite = SubElement(
        suites,
        "testsuite",
        name=run.suite,
        tests=str(len(run.judged)),
        failures=str(run.count(Status.UNEXPECTED)),
        errors=str(run.count(Status.INCONCLUSIVE) + run.count(Status.ERROR)),
        skipped="0",
        time=f"{run.seconds:.3f}",
    )
    for each in run.judged:
        file, line = place(each)
        where = {"file": file, "line": str(line)} if file else {}
        case = SubElement(
            suite,
            "testcase",
            {"name": each.entry.name, "classname": run.suite, "time": f"{each.found.seconds:.3f}", **where},
        )
        text = "\n\n".join(part for part in (each.why, each.found.story) if part)
        if each.status is Status.UNEXPECTED:
            SubElement(case, "failure", message=each.why, type=each.found.verdict).text = text
        elif not each.status.passes:
            SubElement(case, "error", message=each.why, type=str(each.status)).text = text
        else:
            SubElement(case, "system-out").text = text
    indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suites, encoding="unicode").translate(_CONTROL)}\n'


def github(run: Run) -> Iterator[str]:
    """Workflow commands of GitHub: an annotation for each question that is not as expected."""
    for each in run.judged:
        if each.status.passes:
            continue
        level = "error" if each.status in (Status.UNEXPECTED, Status.ERROR) else "warning"
        file, line = place(each)
        where = f"file={_property(file)},line={max(line, 1)}," if file else ""
        message = _data("\n\n".join(part for part in (each.why, each.found.story) if part))
        yield f"::{level} {where}title={_property(f'{run.suite}: {each.entry.name}')}::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab(run: Run) -> str:
    """GitLab's report of code quality: an issue for each question that is not as expected."""
    issues = []
    for each in run.judged:
        if not each.status.passes:
            file, line = place(each)
            issues.append(
                {
                    "description": f"{each.entry.name}: {each.why}",
                    "check_name": f"postcopy {each.entry.kind}",
                    "fingerprint": hashlib.sha256(f"{run.suite}\0{each.entry.name}".encode()).hexdigest(),
                    "severity": "major" if each.status is Status.UNEXPECTED else "minor",
                    "location": {"path": file or "unknown", "lines": {"begin": max(line, 1)}},
                }
            )
    return msgspec.json.format(msgspec.json.encode(issues), indent=2).decode() + "\n"


def markdown(run: Run) -> str:
    """A summary as Markdown: a table, and the stories of what is not as expected."""
    lines = [f"## {run.suite}: {run.sentence}", "", "| | question | found | s |", "|---|---|---|---|"]
    for each in run.judged:
        words = each.why.replace("|", "\\|").replace("\n", " ")
        again = " (unchanged)" if each.reused else ""
        lines.append(f"| {SIGNS[each.status]} | {each.entry.name} | {words}{again} | {each.found.seconds:.1f} |")
    for each in run.judged:
        if not each.status.passes and each.found.story:
            lines += ["", f"<details><summary>{each.entry.name}</summary>", "", "```", each.found.story, "```"]
            lines += ["", "</details>"]
    return "\n".join([*lines, ""])


MARK = "<!-- a suite, written by postcopy -->"

JUNIT = FileFormat((".xml",), "JUnit XML", begins='<?xml version="1.0" encoding="utf-8"?>\n<testsuites>')
GITLAB = FileFormat((".json",), "GitLab's report of code quality", begins="[")
MARKDOWN = FileFormat((), "a summary", comment=MARK)

WRITERS: Mapping[str, tuple[FileFormat, Callable[[Run], str]]] = {
    "junit": (JUNIT, junit),
    "gitlab": (GITLAB, gitlab),
    "markdown": (MARKDOWN, markdown),
}
"""The files that a suite can write, by option: format and writer."""
