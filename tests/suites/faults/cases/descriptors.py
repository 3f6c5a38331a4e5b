"""The file descriptors run out and become available again."""

import wire
from control import ControlGroup
from outcome import Fault, Outcome
from peers import Exchange
from server import Server


def health(server):
    """Returns how long a new client waits for a response."""
    client = Exchange(server.address, [wire.request("/health", "Connection: close\r\n")])
    if not client.until(client.all_ended, 20):
        raise Fault("the server does not serve a new client within 20 s")
    if wire.status(client.received[0]) != "200":
        raise Fault(f"/health: {client.received[0]!r}")
    return client.ended[0]


def case(short):
    stuck = 2 if short else 5
    # The connection limit would apply first, so this server gets a higher one.
    server = Server("--max-connections", "10000", files=200)
    control = ControlGroup(server)
    control.before(1 if short else 3)
    streams = Exchange(server.address, [wire.follow("sse", "many")] * 400)
    streams.until(lambda: sum(map(bool, streams.received)) >= 150, 10)
    served = sum(map(bool, streams.received))
    if not 150 <= served < 200:
        raise Fault(f"{served} of 400 were served with 200 descriptors")
    began = server.cpu()
    streams.until(lambda: False, stuck)
    # The control clients keep working, which takes about 2 % of a processor. A server that spins
    # takes a whole one.
    worked = (server.cpu() - began) / stuck
    if worked > 0.15:
        raise Fault(f"the server used {100 * worked:.0f} % of a processor while it could not accept connections")
    streams.close()
    recovery = health(server)
    control.phase("after")
    report = control.stop()
    peak = server.peak()
    server.kill()

    # The default connection limit is below that, and the server rejects excess clients with a 503.
    server = Server(files=200)
    streams = Exchange(server.address, [wire.follow("long-poll", "many")] * 400)
    streams.until(lambda: len(streams.by_fd) <= 100, 5)
    refused = sum(wire.status(received) == "503" for received in streams.received)
    following = len(streams.by_fd)
    streams.close()
    health(server)
    if following != 100 or refused != 300:
        raise Fault(f"with the default limit {following} clients are held and {refused} rejected, expected 100 and 300")
    return Outcome(
        "400 event streams with 200 descriptors", f"{served} served while the others waited; {100 * worked:.1f} % of a processor "
        f"in that time, including the control clients; {1000 * recovery:.0f} ms after the others left, a new client got its response. With the "
        f"default connection limit: 100 held, {refused} rejected with 503", max(peak, server.peak()), report,
    )
