"""The server ends under load, with and without notice, and starts again."""

import time

from control import ControlGroup
from outcome import Fault, Outcome
from pool import FollowerPool, Publisher, newest
from server import Server

DRAIN = 5


def end_and_restart(short, end):
    """Runs a pool of followers and two publishers while `end` ends the server and it restarts.
    Returns the results.
    """
    each = 40 if short else 150
    server = Server("--retry", "500", "--drain-timeout", str(DRAIN))
    control = ControlGroup(server, steady=False)
    control.before(1 if short else 3)
    control.phase("gathering")
    kinds = {(topic, kind): each for topic in ("posted", "sent") for kind in ("sse", "websocket", "long-poll")}
    pool = FollowerPool(server.address, kinds, newest(server, "posted"))
    pool.connect_all()
    pool.until("all follow", pool.all_follow, 30)
    publishers = [Publisher(server.address, "posted", 50), Publisher(server.address, "sent", 50, socketed=True)]
    control.phase("during")
    pool.run(1 if short else 3)
    # The events accepted before the signal.
    before = {publisher.topic: max(publisher.accepted) for publisher in publishers}
    end(server)
    began = time.monotonic()
    pool.until("the server ends", lambda: server.process.poll() is not None, DRAIN + 10)
    took = time.monotonic() - began
    pool.until("all connections end", lambda: not pool.by_fd, 10)
    at_end = {publisher.topic: max(publisher.accepted) for publisher in publishers}
    complete = sum(follower.newest >= before[follower.topic] for follower in pool.followers)
    cut = [follower.transport for follower in pool.followers if follower.newest < before[follower.topic]]
    missed = sum(
        number > follower.newest for follower in pool.followers for publisher in publishers if publisher.topic == follower.topic
        for number in list(publisher.accepted)
    )
    pool.check(*publishers)
    for follower in pool.followers:
        pool.connect(follower, time.monotonic() + 0.2)
    server.restart()
    pool.until("all have reconnected", pool.all_follow, 30)
    pool.run(1)
    for publisher in publishers:
        publisher.stop()
    pool.until("all have the last event", lambda: pool.all_have(*publishers), 30)
    pool.check(*publishers)
    if not all(max(publisher.accepted) > at_end[publisher.topic] for publisher in publishers):
        raise Fault("nothing was published after the restart")
    silent = sum(follower.gaps == 0 for follower in pool.followers)
    if silent:
        raise Fault(f"{silent} followers reconnected and received no gap")
    control.phase("after")
    report = control.stop()
    many = len(pool.followers)
    pool.close()
    return many, sum(before.values()), took, complete, cut, missed, server, report


def sigterm(short):
    many, accepted, took, complete, cut, missed, server, report = end_and_restart(short, Server.terminate)
    if took > DRAIN + 2:
        raise Fault(f"the server took {took:.1f} s to end")
    if set(cut) - {"long-poll"}:
        raise Fault(f"the connections of {len(cut)} followers ended before all accepted events had arrived: {set(cut)}")
    between = f" (all but {len(cut)} polls that were between two requests)" if cut else ""
    return Outcome(
        f"SIGTERM under {many} followers (streams, WebSockets, long polls), {accepted} events published by POST and WebSocket",
        f"ended after {took:.1f} s; {complete} followers had everything accepted before{between}; after the restart all {many} received a gap, which "
        f"stands for {missed} deliveries of accepted events", server.peak(), report,
    )


def kill(short):
    many, accepted, took, complete, _, missed, server, report = end_and_restart(
        short, lambda server: (server.peak(), server.process.kill())
    )
    return Outcome(
        f"SIGKILL under {many} followers (streams, WebSockets, long polls), {accepted} events published by POST and WebSocket",
        f"{complete} followers had everything accepted before; after the restart all {many} received a gap, which stands for {missed} deliveries of "
        f"accepted events",
        server.peak(), report,
    )
