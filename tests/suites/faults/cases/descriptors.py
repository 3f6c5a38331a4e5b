"""File descriptors are used up, and come back."""

import wire
from outcome import Fault, Outcome
from peers import Exchange
from server import Server
from witness import Witness


def health(server):
    """How long a new client waits for an answer."""
    asked = Exchange(server.address, [wire.request("/health", "Connection: close\r\n")])
    if not asked.until(asked.all_ended, 20):
        raise Fault("nobody is served any more")
    if wire.status(asked.heard[0]) != "200":
        raise Fault(f"/health: {asked.heard[0]!r}")
    return asked.ended[0]


def case(short):
    stuck = 2 if short else 5
    # The bound on connections would come first, so it is put where it does not.
    server = Server("--max-connections", "10000", files=200)
    witness = Witness(server)
    witness.before(1 if short else 3)
    streams = Exchange(server.address, [wire.follow("sse", "many")] * 400)
    streams.until(lambda: sum(map(bool, streams.heard)) >= 150, 10)
    served = sum(map(bool, streams.heard))
    if not 150 <= served < 200:
        raise Fault(f"{served} of 400 were served with 200 descriptors")
    began = server.cpu()
    streams.until(lambda: False, stuck)
    # The publisher and the followers beside it work as before, which takes two hundredths. One that spins takes all that it is given.
    worked = (server.cpu() - began) / stuck
    if worked > 0.15:
        raise Fault(f"{100 * worked:.0f} % of a processor while it could accept nobody")
    streams.close()
    again = health(server)
    witness.phase("after")
    saw = witness.stop()
    peak = server.peak()
    server.kill()

    # With the default bound on connections it does not come so far: who is too many is told so.
    server = Server(files=200)
    streams = Exchange(server.address, [wire.follow("long-poll", "many")] * 400)
    streams.until(lambda: len(streams.by_fd) <= 100, 5)
    refused = sum(wire.status(heard) == "503" for heard in streams.heard)
    following = len(streams.by_fd)
    streams.close()
    health(server)
    if following != 100 or refused != 300:
        raise Fault(f"at the default bound {following} are held and {refused} refused")
    return Outcome(
        "400 event streams with 200 descriptors", f"{served} served, the others wait; {100 * worked:.1f} % of a processor "
        f"meanwhile, followers beside it included; {1000 * again:.0f} ms after the others went a new client was answered. At the default bound "
        f"of connections: 100 held, {refused} told 503", max(peak, server.peak()), saw,
    )
