"""Attacks by followers: many that want much at the same moment, or that do not read."""

import random
import string

import topics
import wire
from row import Row, follower, get
from swarm import Attack, fill

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
# The data that each follower of `sse-resume` must receive, in bytes.
RESUMED = 1 << 20
ESCAPED = wire.publish("t", b"\x01" * 65_000)


def catch_up(server, variant, count):
    topics.fill(server, "t", b"x" * 1000, topics.FILLED * variant.window)
    return [(count, Attack(payload=wire.follow("sse", "t", "start")))]


def newlines(server, variant, count):
    # Each line of an event is a line of its own in the event stream, after `data: `.
    data = b"\n" * 65_000
    for _ in range(int(topics.FILLED * variant.window) // len(data)):
        topics.publish(server, "t", data)
    return [(count, Attack(payload=wire.follow("sse", "t", "start")))]


def resume(server, variant, count):
    data = b"x" * 1000
    ids = topics.fill(server, "t", data, topics.FILLED * variant.window)
    recent = ids[-RESUMED // len(data):]
    expected = topics.as_stream(recent[1:], data)
    return [(count, Attack(payload=wire.follow("sse", "t", recent[0]), expected=expected))]


def all_received_everything(reports):
    report = reports[0]
    if report["wrong"]:
        return f"{report['wrong']} followers received other bytes than the log has"
    if len(report["completed"]) < report["count"]:
        return f"only {len(report['completed'])} of {report['count']} followers received everything in time"
    return None


def none_starved(reports):
    slowest = reports[0]["slowest"]
    if slowest is None or slowest > 0:
        return None
    return "when half of the followers had everything, one had nothing"


def deflated_catch_up(server, variant, count):
    generator = random.Random(1)
    data = "".join(generator.choices(string.ascii_letters, k=65_000)).encode()
    topics.fill(server, "t", data, topics.FILLED * variant.window)
    return [(count, Attack(payload=wire.request("/topics/t?since=start", wire.WEBSOCKET + DEFLATE)))]


def held(reads):
    def prepare(server, variant, count):
        topics.publish(server, "t", b"first")

        def first(number):
            return get("/topics/t?wait=60", f'If-None-Match: "{number}"\r\n')

        receive = 0 if reads else 4096
        return [(count, Attack(first=first, reads=reads, receive=receive)), (1, Attack(payload=ESCAPED))]

    return prepare


def held_lists(server, variant, count):
    topics.publish(server, "t", b"first")
    tags = ", ".join(f'"{number:x}"' for number in range(1600))

    def first(number):
        return get("/topics/t?wait=60", f'If-None-Match: "n{number}", {tags}\r\n')

    return [(count, Attack(first=first)), (1, Attack(payload=wire.publish("t", b"x")))]


def heartbeats(server, variant, count):
    half = count // 2
    # All followers receive an event, so that their heartbeats and pings are due at the same time.
    return [(half, follower("sse", "t")), (half, follower("websocket", "t")), (1, Attack(payload=wire.publish("t", b"x")))]


def fan_out(size, transport, fields=""):
    def prepare(server, variant, count):
        text = "".join(random.Random(1).choices(string.ascii_letters, k=size)).encode()
        flood = Attack(payload=fill(wire.publish("t", text)), endless=True)
        followers = follower(transport, "t")
        if fields:
            followers = Attack(first=wire.request("/topics/t", wire.WEBSOCKET + fields), greeting=b'"next"')
        return [(count, followers), (1, flood)]

    return prepare


def evicted(server, variant, count):
    # The kernel keeps up to half a MiB in the socket of a client that does not read. With more of
    # them it reaches its own bound (tcp_mem), and drops what the publisher sends.
    half = count // 2
    silent = {"reads": False, "receive": 4096}
    flood = Attack(payload=wire.publish("t", b"x" * 65_000) * 4, endless=True)
    return [(half, follower("sse", "t", **silent)), (half, follower("websocket", "t", **silent)), (1, flood)]


DELIVERED = ("sent_bytes_total", 1 << 10)
ROWS = [
    Row("sse-catch-up", "event streams of a full log", (10, 1000, 2000, 9000), catch_up, ("event_streams_opened_total", 1), topic="t"),
    Row("sse-newlines", "event streams of a full log of newlines", (1, 10, 1000), newlines, ("event_streams_opened_total", 1)),
    Row("sse-resume", "event streams of the last MiB, until each has everything", (10, 1000), resume, ("event_streams_opened_total", 1),
        topic="t", lasts=90, checks=[all_received_everything, none_starved]),
    Row("websocket-catch-up", "compressed WebSockets of a full log of 64 KiB events", (10, 1000), deflated_catch_up, ("websockets_opened_total", 1)),
    Row("held-etags", "held polls, each with another entity tag, and an event of 65,000 `\\x01`", (1000, 8000), held(True),
        ("polls_total", 1), settled="long_polls_held_total"),
    Row("held-unread", "the same, responses not read", (1000, 8000), held(False), ("long_polls_held_total", 1), settled="long_polls_held_total"),
    Row("held-lists", "held polls with 1,600 entity tags each, and an event", (10, 1000), held_lists, ("long_polls_held_total", 1),
        settled="long_polls_held_total"),
    Row("heartbeats", "followers whose heartbeats and pings are due at the same time", (1000, 10_000), heartbeats, ("connections_accepted_total", 1),
        options=("--heartbeat", "2", "--ping-interval", "2"), lasts=4),
    Row("fan-out", "one publisher of events of 65,000 bytes without end, to event streams", (10, 1000, 10_000), fan_out(65_000, "sse"), DELIVERED),
    Row("fan-out-tiny", "the same with events of one byte", (10, 1000, 10_000), fan_out(1, "sse"), DELIVERED),
    Row("fan-out-deflate", "the same with events of 65,000 bytes, to compressed WebSockets", (10, 1000), fan_out(65_000, "websocket", DEFLATE), DELIVERED),
    Row("evicted", "followers that do not read, evicted at the same time", (1000, 2000), evicted, ("followers_too_slow_total", 1), lasts=6),
]
