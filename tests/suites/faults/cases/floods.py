"""Floods, one kind after the other, against a server with little memory."""

from control import ControlGroup
from flood import KINDS, Flood
from outcome import Fault, Outcome
from server import Server

MIB = 1 << 20
# The options that docs/operating.md recommends for a small machine, and the memory ceiling that it
# states for them.
SMALL = ["--window-bytes", str(8 * MIB), "--encoded-bytes", str(8 * MIB), "--max-buffered-bytes", str(16 * MIB),
         "--max-echo-bytes", str(MIB), "--max-echo-contexts", "16"]
CEILING = 64 * MIB


def case(short):
    seconds = 1.5 if short else 5
    server = Server(*SMALL, "--publish-token", "known")
    control = ControlGroup(server, token="known")
    control.before(1 if short else 3)
    peaks, sent, connections = {}, 0, 0
    highest = server.peak()
    for kind in KINDS:
        control.phase(f"during: {kind}")
        flood = Flood(server.address, kind, seconds).join()
        server.check_running()
        sent, connections = sent + flood["bytes"], connections + flood["connections"]
        peaks[kind] = server.peak() - highest
        highest = server.peak()
        if highest > CEILING:
            raise Fault(f"under the flood “{kind}” the server uses {highest / MIB:.1f} MiB")
        if not (flood["bytes"] or kind == "connect and close"):
            raise Fault(f"the server read nothing of the flood “{kind}”")
    control.phase("after")
    report = control.stop()
    most = max(peaks, key=peaks.get)
    delays = {kind: report["delays"].get(f"during: {kind}", [0])[0] for kind in KINDS}
    slowest = sorted(delays, key=delays.get)[-1]
    return Outcome(
        f"{len(KINDS)} kinds of flood for {seconds:g} s each: {', '.join(KINDS)}",
        f"{sent / MIB:,.0f} MiB on {connections:,} connections; at most {highest / MIB:.1f} MiB of memory, below the ceiling of {CEILING // MIB} MiB; "
        f"the largest growth was under: {most}. The longest median delay of the control clients was under: {slowest} ({delays[slowest]:g} ms)",
        highest, report,
    )
