"""Compares the verdicts of the two suites, and writes the table of docs/conformance.md.

A line of differences.txt is a reason for differences: endpoints and cases, as patterns separated by
commas, the verdict of each suite, and a sentence that says which of them is right. A difference
without a reason is a failure, and so is a reason without a difference. If the verdicts depend on
the scheduler, the line has alternatives, such as OK|NON-STRICT.
"""

import re
from pathlib import Path

import autobahn
import conform
import verdicts
from kosoku import matches, order

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "conformance.md"
MARKS = ("<!-- tests/suites/witness/run --update -->\n", "<!-- end -->\n")


class Reason:
    """A line of differences.txt."""

    def __init__(self, line):
        endpoints, cases, one, other, self.text = line.split(maxsplit=4)
        self.endpoints, self.cases = endpoints.split(","), cases.split(",")
        self.allowed = {"autobahn": one.split("|"), "conform": other.split("|")}
        self.differences = []

    def is_about(self, endpoint, case):
        return matches(endpoint, self.endpoints) and matches(case, self.cases)

    def explains(self, endpoint, case, one, other):
        return self.is_about(endpoint, case) and one in self.allowed["autobahn"] and other in self.allowed["conform"]

    def varies(self, suite):
        """Returns whether this suite's verdict may differ from one run to the next."""
        return len(self.allowed[suite]) > 1


def reasons():
    lines = (HERE / "differences.txt").read_text().splitlines()
    return [Reason(line) for line in lines if line.strip() and not line.startswith("#")]


def compare():
    """Returns the rows of the table, the reasons with their differences, and the failures."""
    one, other, known = verdicts.read("autobahn"), verdicts.read("conform"), reasons()
    rows, failures = [], []
    for endpoint in one:
        cases = sorted(one[endpoint].keys() & other.get(endpoint, {}).keys(), key=order)
        different = 0
        for case in cases:
            ours, theirs = other[endpoint][case], autobahn.meaning(one[endpoint][case])
            if theirs in conform.SAME[ours]:
                continue
            different += 1
            reason = next((reason for reason in known if reason.explains(endpoint, case, theirs, ours)), None)
            if reason:
                reason.differences.append((endpoint, case))
            else:
                failures.append(f"{endpoint} {case}: autobahn says {one[endpoint][case]}, conform says {ours}, and differences.txt has no reason")
        rows.append((endpoint, len(one[endpoint]), len(cases), len(cases) - different, different))
    failures += [f"differences.txt explains a difference that does not exist: {reason.text}" for reason in known if not reason.differences and not reason.varies("autobahn") and not reason.varies("conform")]
    return rows, known, failures


def changes(suite, found):
    """Returns a sentence for each verdict that differs from the committed one."""
    table, known = verdicts.read(suite), reasons()
    failures = []
    for endpoint, cases in found.items():
        for case, verdict in cases.items():
            committed = table.get(endpoint, {}).get(case, "nothing")
            if verdict != committed and not any(reason.is_about(endpoint, case) and reason.varies(suite) and meaning(suite, verdict) in reason.allowed[suite] for reason in known):
                failures.append(f"{endpoint} {case}: {suite} says {verdict}, and {suite}.txt {committed}")
    return failures


def meaning(suite, verdict):
    return autobahn.meaning(verdict) if suite == "autobahn" else verdict


def words(reason, suite):
    return " or ".join(reason.allowed[suite])


def table():
    """Returns the text between the marks, and the failures."""
    rows, known, failures = compare()
    lines = ["| endpoint | cases of Autobahn | judged by both | same verdict | different |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {endpoint.replace('/', ' ')} | {all_} | {both} | {same} | {different} |" for endpoint, all_, both, same, different in rows]
    if any(reason.differences for reason in known):
        lines += ["", "| endpoint | cases | Autobahn | `conform` | reason |", "| --- | --- | --- | --- | --- |"]
    for reason in known:
        by_cases = {}
        for endpoint in dict.fromkeys(endpoint for endpoint, _ in reason.differences):
            cases = tuple(case for other, case in reason.differences if other == endpoint)
            by_cases.setdefault(cases, []).append(endpoint.replace("/", " "))
        for cases, endpoints in by_cases.items():
            cells = [", ".join(endpoints), ", ".join(cases), words(reason, "autobahn"), words(reason, "conform"), reason.text]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n", failures


def page_with(text):
    """Returns the page before and after the change."""
    page = PAGE.read_text()
    pattern = re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1])
    changed, count = re.subn(pattern, lambda _: MARKS[0] + text + MARKS[1], page, flags=re.S)
    if count != 1:
        raise ValueError(f"{PAGE} has no marks {MARKS}")
    return page, changed
