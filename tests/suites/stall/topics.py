"""Topics with a log for an attack: published in batches, over one connection."""

import http.client
import json

from outcome import Fault

# Bytes of a batch of events; the server's limit is 1 MiB.
BATCH = 1_000_000
# The part of the window that is filled. The calm client's events need some room: when the window is
# full, each would remove others.
FILLED = 0.9


def post(client, topic, body, fields):
    client.request("POST", f"/topics/{topic}", body, fields)
    response = client.getresponse()
    answer = response.read()
    if response.status != 201:
        raise Fault(f"publishing to {topic}: {response.status} {answer[:200]!r}")
    return json.loads(answer)


def publish(server, topic, data):
    """Publishes one event. Returns its id."""
    client = http.client.HTTPConnection(*server.address, timeout=30)
    answer = post(client, topic, data, {})
    client.close()
    return answer["id"]


def fill(server, topic, data, size):
    """Publishes the same data until the log has that many bytes. Returns the ids of the events."""
    client = http.client.HTTPConnection(*server.address, timeout=30)
    lines = (data + b"\n") * max(1, BATCH // (len(data) + 1))
    ids = []
    while server.gauge("log_bytes") + len(lines) < size:
        ids += post(client, topic, lines, {"Content-Type": "application/x-ndjson"})["ids"]
    client.close()
    return ids


def as_stream(ids, data):
    """Returns the bytes of these events in a chunked event stream: the same data under each id."""
    blocks = (b"id: %s\ndata: %s\n\n" % (id.encode(), data) for id in ids)
    return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks)
