"""The server ends under load, with notice and without, and starts anew."""

import time

from crowd import Crowd, Publisher, newest
from outcome import Fault, Outcome
from server import Server
from witness import Witness

DRAIN = 5


def ended(short, end):
    """A crowd and two publishers under a server that `end` ends, and that starts again. What came out."""
    each = 40 if short else 150
    server = Server("--retry", "500", "--drain-timeout", str(DRAIN))
    witness = Witness(server, steady=False)
    witness.before(1 if short else 3)
    witness.phase("gathering")
    kinds = {(topic, kind): each for topic in ("posted", "sent") for kind in ("sse", "websocket", "long-poll")}
    crowd = Crowd(server.address, kinds, newest(server, "posted"))
    crowd.all_come()
    crowd.until("all follow", crowd.all_follow, 30)
    publishers = [Publisher(server.address, "posted", 50), Publisher(server.address, "sent", 50, socketed=True)]
    witness.phase("during")
    crowd.run(1 if short else 3)
    # What was accepted before it was told to end.
    before = {publisher.topic: max(publisher.accepted) for publisher in publishers}
    end(server)
    began = time.monotonic()
    crowd.until("the server ends", lambda: server.process.poll() is not None, DRAIN + 10)
    took = time.monotonic() - began
    crowd.until("all connections end", lambda: not crowd.by_fd, 10)
    at_end = {publisher.topic: max(publisher.accepted) for publisher in publishers}
    complete = sum(member.newest >= before[member.topic] for member in crowd.members)
    cut = [member.transport for member in crowd.members if member.newest < before[member.topic]]
    missed = sum(
        number > member.newest for member in crowd.members for publisher in publishers if publisher.topic == member.topic
        for number in list(publisher.accepted)
    )
    crowd.check(*publishers)
    for member in crowd.members:
        crowd.come(member, time.monotonic() + 0.2)
    server.again()
    crowd.until("all are back", crowd.all_follow, 30)
    crowd.run(1)
    for publisher in publishers:
        publisher.stop()
    crowd.until("all have the last event", lambda: crowd.all_have(*publishers), 30)
    crowd.check(*publishers)
    if not all(max(publisher.accepted) > at_end[publisher.topic] for publisher in publishers):
        raise Fault("nothing was published in its second life")
    silent = sum(member.told == 0 for member in crowd.members)
    if silent:
        raise Fault(f"{silent} that came back were not told of the gap")
    witness.phase("after")
    saw = witness.stop()
    many = len(crowd.members)
    crowd.close()
    return many, sum(before.values()), took, complete, cut, missed, server, saw


def sigterm(short):
    many, accepted, took, complete, cut, missed, server, saw = ended(short, Server.terminate)
    if took > DRAIN + 2:
        raise Fault(f"it took {took:.1f} s to end")
    if set(cut) - {"long-poll"}:
        raise Fault(f"{len(cut)} followers were ended without what was accepted before: {set(cut)}")
    between = f" (not {len(cut)} polls that were between two requests)" if cut else ""
    return Outcome(
        f"SIGTERM under {many} followers (streams, WebSockets, long polls), {accepted} events published by POST and WebSocket",
        f"gone after {took:.1f} s; {complete} followers had all that was accepted before{between}; after the start all {many} were told of the gap, {missed} "
        f"deliveries of accepted events among it", server.peak(), saw,
    )


def kill(short):
    many, accepted, took, complete, _, missed, server, saw = ended(short, lambda server: (server.peak(), server.process.kill()))
    return Outcome(
        f"SIGKILL under {many} followers (streams, WebSockets, long polls), {accepted} events published by POST and WebSocket",
        f"{complete} followers had all that was accepted before; after the start all {many} were told of the gap, {missed} deliveries of accepted "
        f"events among it",
        server.peak(), saw,
    )
