"""Attacks with requests: pipelined, and expensive to parse or to answer."""

import topics
import wire
from row import OBSERVERS, Row, get, pipelined
from swarm import BLOCK, Attack

FEW, MANY, ALL = (1, 10), (1, 10, 1000), (1, 10, 1000, 10_000)
NDJSON = "Content-Type: application/x-ndjson\r\n"


def head_metrics(server, variant, count):
    return [(count, pipelined(count, get("/metrics", method="HEAD")))]


def page(server, variant, count):
    return [(count, pipelined(count, get("/")))]


def polls(size):
    def prepare(server, variant, count):
        # A poll returns at most 256 KiB of events of at most 64 KiB.
        for _ in range(max(1, size // 60_000)):
            topics.publish(server, "t", b"x" * 60_000)
        return [(count, pipelined(count, get("/topics/t?since=start")))]

    return prepare


def since(method):
    def prepare(server, variant, count):
        ids = topics.fill(server, "t", b"\x01" * 1000, topics.FILLED * variant.window)
        # Each request is for another part of the log than the one before.
        step = int(len(ids) * 0.618) | 1
        asked = (ids[number * step % len(ids)] for number in range(2 * BLOCK // 60))
        return [(count, Attack(payload=b"".join(get(f"/topics/t?since={id}", method=method) for id in asked), endless=True))]

    return prepare


def lists(server, variant, count):
    id = topics.publish(server, "t", b"x")
    tags = ", ".join(f'"{number:x}"' for number in range(1600))
    return [(count, pipelined(count, get(f"/topics/t?since={id}", f"If-None-Match: {tags}\r\n"), 32_768))]


def full_heads(server, variant, count):
    fields = "".join(f"X-{number}: {'x' * 100}\r\n" for number in range(98))
    return [(count, pipelined(count, get("/health", fields), 32_768))]


def long_fields(server, variant, count):
    accept = ", ".join(f"a/b{number};q=0.5" for number in range(400))
    prefer = ", ".join(f"x{number}=1" for number in range(700))
    return [(count, pipelined(count, get("/topics/t", f"Accept: {accept}\r\nPrefer: {prefer}\r\n"), 32_768))]


def half_heads(server, variant, count):
    return [(count, Attack(payload=b"GET / HTTP/1.1\r\nHost:\r\n" + (b"X: " + b"x" * 1000 + b"\r\n") * 15))]


def half_bodies(server, variant, count):
    head = wire.request("/topics/t", NDJSON + "Content-Length: 1048576\r\n", "POST")
    return [(count, Attack(payload=head + b"x\n" * 500_000))]


def tiny_posts(server, variant, count):
    return [(count, pipelined(count, b"POST /topics/t HTTP/1.1\r\nHost:\r\nContent-Length:1\r\n\r\nx"))]


def new_topics(server, variant, count):
    def payload(number):
        return b"".join(wire.publish(f"new-{number}-{at}", b"x" * 64) for at in range(64))

    return [(count, Attack(payload=payload))]


def full_topics(server, variant, count):
    # All topics exist, and the window is full: each event removes the oldest of all segments.
    size = 2 * variant.window // 1024
    for number in range(1000):
        topics.publish(server, f"t{number}", b"x" * min(size, 60_000))

    def payload(number):
        return b"".join(wire.publish(f"t{(number * 7 + at) % 1000}", b"x" * 4000) for at in range(32))

    return [(count, Attack(payload=payload, endless=count < 100))]


def lines(server, variant, count):
    batch = wire.publish("t", b"x\n" * (1 << 19), NDJSON)
    return [(count, Attack(payload=batch, endless=count < 100))]


def chunks(server, variant, count):
    body = wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST") + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n"
    return [(count, Attack(payload=body, endless=count < 100))]


def observed(server, variant, count):
    return [(count, pipelined(count, get("/topics/t"))), OBSERVERS]


def expiring(server, variant, count):
    return [(count, Attack(payload=get("/topics/t?wait=2")))]


def idle(server, variant, count):
    return [(count, Attack(payload=get("/health")))]


def resets(server, variant, count):
    return [(count, Attack(first=b"GET / HTTP/1.1\r\nHost:\r\nX-1: 2", resets=True))]


REQUESTS = ("requests_total", 1)
ROWS = [
    Row("head-metrics", "`HEAD /metrics`, pipelined", ALL, head_metrics, REQUESTS),
    Row("poll-60k", "polls with a response of 60 KB, pipelined", MANY, polls(60_000), REQUESTS),
    Row("poll-256k", "polls with a response of 240 KB, pipelined", MANY, polls(240_000), REQUESTS),
    Row("page", "`GET /`, pipelined", MANY, page, REQUESTS),
    Row("since-escaped", "polls all over a full log of `\\x01`, pipelined", FEW, since("GET"), REQUESTS),
    Row("since-escaped-head", "the same with `HEAD`", FEW, since("HEAD"), REQUESTS),
    Row("if-none-match", "polls with 1,600 entity tags, pipelined", MANY, lists, REQUESTS),
    Row("full-heads", "requests with 100 field lines, pipelined", MANY, full_heads, REQUESTS),
    Row("long-fields", "polls with 12 KB of `Accept` and `Prefer`, pipelined", MANY, long_fields, REQUESTS),
    Row("half-heads", "heads of 15 KB that do not end", (1000, 10_000), half_heads, ("received_bytes_total", 1 << 13)),
    Row("half-bodies", "bodies of 1 MB that do not end", (10, 100, 1000), half_bodies, ("received_bytes_total", 1 << 13)),
    Row("tiny-posts", "publishes of one byte, pipelined", ALL, tiny_posts, ("events_published_total", 1)),
    Row("new-topics", "publishes to 64 new topics each", (10, 1000), new_topics, ("events_published_total", 1)),
    Row("full-topics", "publishes to 1,000 topics with a full window", (1, 10, 1000), full_topics, ("events_published_total", 1)),
    Row("ndjson-lines", "batches of 524,288 lines of one byte", (1, 10, 100), lines, ("events_published_total", 1)),
    Row("one-byte-chunks", "publishes of 60,000 chunks of one byte", MANY, chunks, ("received_bytes_total", 1 << 12)),
    Row("observed", "short polls, pipelined, while 10 clients follow `/wire`", MANY, observed, REQUESTS),
    Row("expiring-polls", "held polls that expire at the same time", (1000, 8000), expiring, ("polls_empty_total", 1), lasts=4),
    Row("idle", "connections whose idle time ends at the same time", (1000, 10_000), idle, REQUESTS, options=("--idle-timeout", "2"), lasts=4),
    Row("resets", "connections that are reset at once", (1000, 5000), resets, ("connections_accepted_total", 1)),
]
