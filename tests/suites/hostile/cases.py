"""Reads the cases, and reads and writes the page that lists where nginx differs."""

import re
from dataclasses import dataclass
from pathlib import Path

REQUESTS = Path(__file__).resolve().parents[3] / "src" / "tools" / "conform" / "http" / "cases"
RULES = ("must refuse", "should refuse", "may refuse", "should accept", "must accept")
ESCAPE = re.compile(rb"\\(?:\{(.*?)\*([0-9]+)\}|x([0-9A-Fa-f]{2})|([rnt0\\]))")
PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
BEGIN, END = "<!-- tests/suites/hostile/run --update writes this -->", "<!-- to here -->"


@dataclass
class Case:
    name: str
    bytes: bytes
    rule: str
    section: str
    forbidden: tuple  # how the connection must not be afterwards
    expected: str  # statuses, then how the connection ends
    nginx: str  # the reason for a difference, or empty


def unescape(text):
    """Decodes a value's escapes, as tests/vectors/mod.rs does."""

    def one(match):
        repeated, count, digits, plain = match.groups()
        if repeated is not None:
            return unescape(repeated) * int(count)
        return bytes.fromhex(digits.decode()) if digits else PLAIN[plain]

    return ESCAPE.sub(one, text)


def read():
    return [case(block) for file in sorted(REQUESTS.glob("*.txt")) for block in blocks(file.read_bytes())]


def blocks(text):
    for block in re.split(rb"\n\n+", text):
        fields = {}
        for line in block.split(b"\n"):
            if line and not line.startswith(b"#"):
                key, value = line.split(b":", 1)
                fields[key.decode()] = fields.get(key.decode(), b"") + value.removeprefix(b" ")
        if fields:
            yield fields


def case(fields):
    text = {key: value.decode() for key, value in fields.items() if key != "in"}
    rule, section = text["rule"].split(", RFC ")
    rule, _, forbidden = rule.partition(" but must ")
    forbidden = {"": (), "end": ("on", "waits"), "not go on": ("on",)}[forbidden]
    assert rule in RULES, f"{text['name']}: unknown rule {rule!r}, expected one of {RULES}"
    return Case(text["name"], unescape(fields["in"]), rule, section, forbidden, text["is"], text.get("nginx", ""))


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
