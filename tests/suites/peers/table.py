"""Collects the figures and formats them as Markdown."""

import os
import platform
import re
from pathlib import Path
from statistics import mean, median

import cores

# The cell of a benchmark that a server cannot run. Variants appear in brackets.
NOTHING = "–"


class Table:
    def __init__(self, rows, columns, arguments, command):
        self.rows, self.columns, self.arguments, self.command = rows, columns, arguments, command
        # (benchmark, server or None, whether it is the variant) maps to the figures of each round.
        self.figures = {}
        self.failed = set()
        self.problems = []

    def add(self, row, server, is_variant, figures):
        self.figures.setdefault((row.name, server and server.name, is_variant), []).append(figures)

    def fail(self, row, server, problem):
        # Without the ceiling, no server has a ratio.
        self.failed |= {(row.name, column.name) for column in self.columns if server in (None, column)}
        if not server:
            self.failed.add((row.name, None))
        self.problems.append(problem)

    def values(self, row, server, is_variant):
        """Returns a cell's value for each round: ratios, or the row's unit."""
        found = self.figures.get((row.name, server.name, is_variant), [])
        if not row.ceiling:
            return [figures.value for figures in found]
        # No measurement of this row failed, so there is one ceiling for each round.
        return [figures.value / ceiling for figures, ceiling in zip(found, self.ceilings(row))]

    def ceilings(self, row):
        """Returns the bare program's figure for each round: the mean of the runs before and after
        the servers. During a round it is the one before.
        """
        found = [figures.value for figures in self.figures[row.name, None, False]]
        return [mean(found[at : at + 2]) for at in range(0, len(found), 2)]

    def spread(self, row):
        """Returns the largest deviation of the bare program's figures from their median, which
        shows the effect of the machine's other work.
        """
        found = [figures.value for figures in self.figures[row.name, None, False]]
        return max(abs(value / median(found) - 1) for value in found)

    def cell(self, row, server, show):
        if row.name in server.cannot:
            return NOTHING
        if (row.name, server.name) in self.failed:
            return "failed"
        text = show(self.values(row, server, False))
        if row.name in server.variants:
            text += f" ({show(self.values(row, server, True))})"
        return text

    def latest(self, row):
        """Returns a round's figures, as progress output."""
        return ", ".join(f"{server.name} {self.cell(row, server, lambda values: number(row, values[-1]))}" for server in self.columns)

    def markdown(self, date):
        measured = [row for row in self.rows if row.ceiling]
        idle = [row for row in self.rows if row.unit == "bytes"]
        connect = [row for row in self.rows if row.unit == "µs"]
        parts = [f"{date.day} {date:%B %Y}, on {machine()}, by `{self.command}`."]
        if self.arguments.quick:
            parts.insert(0, "**From a quick run with short measurements: do not rely on these figures.**")
        parts.append(
            f"{self.arguments.rounds} round{'s'[: self.arguments.rounds > 1]} of {self.arguments.duration:g} s for each figure, after "
            f"{self.arguments.warm_up:g} s under load; {placed()}."
        )
        if measured:
            parts.append("Work per second of the server's CPU time, relative to the bare program in the same round; the median of the rounds:")
            parts.append(self.grid(measured, lambda row: lambda values: number(row, median(values))))
        if connect:
            parts.append("Microseconds of the server's CPU time for each connection that is opened, answered and closed, the median of the rounds:")
            parts.append(self.grid(connect, lambda row: lambda values: number(row, median(values))))
        if idle:
            parts.append("Bytes of user-space memory, the median of the rounds:")
            parts.append(self.grid(idle, lambda row: lambda values: number(row, median(values))))
        if self.arguments.rounds > 1:
            parts.append("The lowest and the highest of the rounds:")
            parts.append(self.grid(self.rows, lambda row: lambda values: f"{number(row, min(values))} to {number(row, max(values))}"))
        spread = max((self.spread(row) for row in measured if (row.name, None) not in self.failed), default=0)
        if measured:
            parts.append(f"The bare program's own figures deviated by up to {spread:.0%} from their median, because of the machine's other work.")
        if self.columns[0].name == "barewire" and len(self.columns) > 1:
            parts.append(self.ranking())
        parts.append("\n".join(self.notes()))
        return "\n\n".join(parts) + "\n"

    def grid(self, rows, show):
        head = ["", *(server.name for server in self.columns)]
        lines = [head, ["---"] * len(head)]
        lines += [[row.title, *(self.cell(row, server, show(row)) for server in self.columns)] for row in rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")

    def ranking(self):
        """Returns a sentence that names the rows in which the first server is not the best."""
        first, worse = self.columns[0], []
        for row in self.rows:
            found = {}
            for server in self.columns:
                for is_variant in (False, True):
                    values = (row.name, server.name) not in self.failed and self.values(row, server, is_variant)
                    if values:
                        found[f"{server.name}, in brackets" if is_variant else server.name] = median(values)
            if first.name in found:
                best = (max if row.ceiling else min)(found, key=found.get)
                if number(row, found[best]) != number(row, found[first.name]):
                    worse.append(f"{row.title} ({best}: {number(row, found[best])}, {first.name}: {number(row, found[first.name])})")
        if not worse:
            return f"No other server does better than {first.name} in any row."
        return f"{first.name} is not the best in: {'; '.join(worse)}."

    def notes(self):
        """Yields each server's version, the meaning of its brackets, and the reasons for its empty
        cells.
        """
        names = {row.name for row in self.rows}
        for server in self.columns:
            text = f"- {server.name} {server.version()}."
            if names & set(server.variants):
                text += f" In brackets: {server.variant}."
            for why in dict.fromkeys(server.cannot[name] for name in server.cannot if name in names):
                text += f" {NOTHING}: {why}."
            yield text

    def raw(self):
        return {
            "command": self.command,
            "runs": [
                {"benchmark": row, "server": server, "variant": is_variant, "rounds": [figures.raw for figures in found]}
                for (row, server, is_variant), found in self.figures.items()
            ],
        }


def placed():
    if cores.LOAD == cores.SERVER:
        return "load and server share the only core, which raises all figures"
    return "the load on one core, the server on another"


def number(row, value):
    return f"{value:,.{0 if row.unit == 'bytes' else 1 if row.unit == 'µs' else 2}f}"


def machine():
    """Describes the machine in words."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    kibibytes = re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M)
    system = re.match(r"[0-9]+\.[0-9]+", platform.release())
    name = model[1].strip() if model else platform.machine()
    return f"{os.cpu_count()} cores ({name}), {round(int(kibibytes[1]) / (1 << 20))} GiB of memory, Linux {system[0]}"
