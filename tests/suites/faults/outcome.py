"""The results of a case."""


class Fault(Exception):
    """The case has failed; the message says what must not happen and did."""


class Skipped(Exception):
    """The case cannot run here; the message says why."""


class Outcome:
    """The result of a case that passed, as a table row."""

    def __init__(self, tried, figure, peak, control):
        self.tried, self.figure, self.peak, self.control = tried, figure, peak, control

    def row(self, name):
        delays = [
            " / ".join(f"{number:g}" for number in self.control["delays"].get(phase, [])) or "–" for phase in ("before", "during")
        ]
        lost = f"0 of {self.control['accepted']:,}"
        reported = sum(outcome["reported"] for outcome in self.control["followers"].values())
        if reported:
            lost += f", {reported} reported as a gap"
        return [name, self.tried, lost, f"{self.peak / (1 << 20):.1f} MiB", *delays, self.figure]
