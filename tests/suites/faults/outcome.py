"""What a case ends with."""


class Fault(Exception):
    """Something that must not be: the case has failed, and this says with what."""


class Skipped(Exception):
    """The case can't be run here, and this says why."""


class Outcome:
    """What a case has to tell."""

    def __init__(self, tried, figure, peak, saw):
        self.tried, self.figure, self.peak, self.saw = tried, figure, peak, saw

    def row(self, name):
        delays = [
            " / ".join(f"{number:g}" for number in self.saw["delays"].get(phase, [])) or "–" for phase in ("before", "during")
        ]
        lost = f"0 of {self.saw['accepted']:,}"
        told = sum(outcome["told"] for outcome in self.saw["followers"].values())
        if told:
            lost += f", {told} told as a gap"
        return [name, self.tried, lost, f"{self.peak / (1 << 20):.1f} MiB", *delays, self.figure]
