"""Floods, one kind after the other, against a server with little memory."""

from flood import KINDS, Flood
from outcome import Fault, Outcome
from server import Server
from witness import Witness

MIB = 1 << 20
# As docs/operating.md has it for a small machine, and what it says that these make.
SMALL = ["--window-bytes", str(8 * MIB), "--encoded-bytes", str(8 * MIB), "--max-buffered-bytes", str(16 * MIB),
         "--max-echo-bytes", str(MIB), "--max-echo-contexts", "16"]
CEILING = 64 * MIB


def case(short):
    seconds = 1.5 if short else 5
    server = Server(*SMALL, "--publish-token", "known")
    witness = Witness(server, token="known")
    witness.before(1 if short else 3)
    peaks, sent, connections = {}, 0, 0
    highest = server.peak()
    for kind in KINDS:
        witness.phase(f"during: {kind}")
        flood = Flood(server.address, kind, seconds).over()
        server.is_up()
        sent, connections = sent + flood["bytes"], connections + flood["connections"]
        peaks[kind] = server.peak() - highest
        highest = server.peak()
        if highest > CEILING:
            raise Fault(f"with {kind} the server has {highest / MIB:.1f} MiB")
        if not (flood["bytes"] or kind == "connect and close"):
            raise Fault(f"nothing of {kind} was taken")
    witness.phase("after")
    saw = witness.stop()
    most = max(peaks, key=peaks.get)
    delays = {kind: saw["delays"].get(f"during: {kind}", [0])[0] for kind in KINDS}
    slowest = sorted(delays, key=delays.get)[-1]
    return Outcome(
        f"{len(KINDS)} kinds of flood for {seconds:g} s each: {', '.join(KINDS)}",
        f"{sent / MIB:,.0f} MiB on {connections:,} connections; at most {highest / MIB:.1f} MiB where the ceiling is {CEILING // MIB} MiB; most came with: {most}. "
        f"The median delay beside was longest with: {slowest} ({delays[slowest]:g} ms)",
        highest, saw,
    )
