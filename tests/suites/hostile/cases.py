"""Reads the cases, and reads and writes the page that lists where nginx differs."""

import re
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).resolve().parents[3] / "src" / "tools" / "conform" / "http" / "cases"
RULES = ("must refuse", "should refuse", "may refuse", "should accept", "must accept")
BEGIN, END = "<!-- tests/suites/hostile/run --update writes this -->", "<!-- to here -->"


@dataclass
class Case:
    name: str
    rule: str
    section: str
    nginx: str  # the reason for a difference, or empty


def read():
    """Returns the cases by their numbers, as the command writes them."""
    cases = {}
    for file in sorted(CASES.glob("*.txt")):
        for block in file.read_text().split("\n\n"):
            fields = dict(re.findall(r"^(name|number|rule|nginx): (.*)$", block, re.MULTILINE))
            if fields:
                rule, section = fields["rule"].split(", RFC ")
                rule = rule.split(" but must ")[0]
                cases[f"http/{fields['number']}"] = Case(fields["name"], rule, section, fields.get("nginx", ""))
    return cases


class Page:
    """docs/hostile-requests.md. The run writes the part between two marks."""

    def __init__(self, path):
        self.path = path
        self.before, rest = path.read_text().split(BEGIN + "\n")
        part, self.after = rest.split(END)
        lines = part.strip().split("\n")
        version = re.search(r"nginx ([0-9.]+)", lines[0])
        self.version = version and version[1]
        self.lines = lines[2:]

    def write(self, version, lines):
        part = [BEGIN, f"Measured with nginx {version}:", "", *lines, END]
        self.path.write_text(self.before + "\n".join(part) + self.after)
