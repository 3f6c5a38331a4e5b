"""The control clients: a publisher of numbered events and one follower per transport, in one
process.

    control_clients.py ADDRESS PORT [TOKEN]

The publisher sends a number every 20 ms, even if earlier responses are still outstanding. If its
connection ends before a response arrives, that number is uncertain, and the next number goes out on
a new connection. The followers resume by id when their connection ends. Commands arrive on standard
input: `phase NAME` begins a phase of the run and `stop` ends the publishing. Then each follower's
events are compared with the accepted ones (201), and the outcome is printed as JSON. The first line
of output reports that the first number was accepted.
"""

import asyncio
import bisect
import json
import random
import sys
import time

import wire

EVERY = 0.02
TOPIC = "control"
# Seconds that a follower may take to receive the last event after the publishing has stopped.
PATIENCE = 40


class Run:
    """The state shared by all control clients: which numbers were published, when, in which phase,
    and the results.
    """

    def __init__(self, address, port, token):
        self.address, self.port = address, port
        self.fields = f"Authorization: Bearer {token}\r\n" if token else ""
        self.sent = {}
        self.accepted, self.uncertain, self.refused = [], 0, 0
        self.phase = "before"
        self.delays = {}
        self.stopped = asyncio.Event()
        self.reconnects = 0

    async def connect(self):
        return await asyncio.wait_for(asyncio.open_connection(self.address, self.port), 20)


async def response(reader):
    """Reads one response: status, fields, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    length = int(fields.get("content-length", 0))
    body = await reader.readexactly(length)
    return int(lines[0].split()[1]), fields, body


async def publishing(run):
    """Publishes until the run stops. A delay counts from the time at which the number was due, even
    if it was sent later.
    """
    number, due = 0, time.monotonic()
    while not run.stopped.is_set():
        unanswered = []
        try:
            reader, writer = await run.connect()
        except OSError:
            await asyncio.sleep(0.1)
            due = time.monotonic()
            continue

        async def responses():
            while True:
                status, _, _ = await response(reader)
                published = unanswered.pop(0)
                if status == 201:
                    if not run.accepted:
                        print("publishing", flush=True)
                    run.accepted.append(published)
                else:
                    run.refused += 1

        reading = asyncio.create_task(responses())
        while not run.stopped.is_set() and not reading.done():
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
                continue
            number += 1
            run.sent[number] = (due, run.phase)
            unanswered.append(number)
            due += EVERY
            writer.write(wire.publish(TOPIC, str(number).encode(), run.fields))
        if run.stopped.is_set():
            for _ in range(200):
                if not unanswered or reading.done():
                    break
                await asyncio.sleep(0.1)
        if not reading.done():
            reading.cancel()
        elif not reading.cancelled():
            reading.exception()
        run.uncertain += len(unanswered)
        writer.close()


class Follower:
    """A follower of the control topic over one transport, starting after an id."""

    def __init__(self, run, transport, since):
        self.run, self.transport, self.last = run, transport, since
        self.received, self.gaps = [], []
        self.retry = 0.3
        self.done = False

    def add_event(self, id, data):
        number = int(data)
        self.received.append(number)
        due, phase = self.run.sent.get(number, (None, None))
        if self.transport != "short-poll" and due is not None:
            self.run.delays.setdefault(phase, []).append(time.monotonic() - due)
        self.last = id

    def add_gap(self):
        self.gaps.append(len(self.received))

    async def follow(self):
        """Follows, and reconnects whenever the connection ends."""
        read = {"sse": self.stream, "websocket": self.socket}.get(self.transport, self.poll)
        while not self.done:
            writer = None
            try:
                reader, writer = await self.run.connect()
                await read(reader, writer)
            except (OSError, EOFError, asyncio.TimeoutError):
                pass
            finally:
                if writer:
                    writer.close()
            if not self.done:
                self.run.reconnects += 1
                # Like the page: the delay is random, from the upper half of the range.
                await asyncio.sleep(self.retry * (0.5 + random.random() / 2))

    async def poll(self, reader, writer):
        while not self.done:
            writer.write(wire.follow(self.transport, TOPIC, self.last))
            status, fields, body = await response(reader)
            if status != 200:
                self.retry = float(fields.get("retry-after", self.retry))
                return
            page = json.loads(body)
            if page.get("gap"):
                self.add_gap()
            for event in page["events"]:
                self.add_event(event["id"], event["data"])
            self.last = page["next"]
            if fields.get("connection") == "close":
                return
            if self.transport == "short-poll":
                await asyncio.sleep(0.1)

    async def stream(self, reader, writer):
        writer.write(wire.follow("sse", TOPIC, self.last))
        await reader.readuntil(b"\r\n\r\n")
        text = b""
        while True:
            size = int((await reader.readline()).strip() or b"0", 16)
            if size == 0:
                return
            text += (await reader.readexactly(size + 2))[:-2]
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
                if "retry" in fields:
                    self.retry = int(fields["retry"]) / 1000
                if fields.get("event") == "gap":
                    self.add_gap()
                    self.last = fields["id"]
                elif "data" in fields:
                    self.add_event(fields["id"], fields["data"])
                elif "id" in fields:
                    self.last = fields["id"]

    async def socket(self, reader, writer):
        writer.write(wire.follow("websocket", TOPIC, self.last))
        await reader.readuntil(b"\r\n\r\n")
        while True:
            first, length = await reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2), "big")
            elif length == 127:
                length = int.from_bytes(await reader.readexactly(8), "big")
            payload = await reader.readexactly(length)
            opcode = first & 0x0F
            if opcode == wire.PING:
                writer.write(wire.frame(wire.PONG, payload))
            elif opcode == wire.CLOSE:
                writer.write(wire.frame(wire.CLOSE, payload[:2]))
                return
            elif opcode == wire.TEXT:
                message = json.loads(payload)
                if "gap" in message:
                    self.add_gap()
                if "next" in message:
                    self.last = message["next"]
                else:
                    self.add_event(message["id"], message["data"])

    def outcome(self):
        """Returns the accepted events that are missing without a reported gap, and the duplicated
        and disordered ones.
        """
        missing = sorted(set(self.run.accepted) - set(self.received))
        # A gap lies between two received events, so every event missing between these two was
        # reported.
        reported = [
            (self.received[at - 1] if at else 0, self.received[at] if at < len(self.received) else float("inf"))
            for at in self.gaps
        ]
        lost = [number for number in missing if not any(low < number < high for low, high in reported)]
        disordered = sum(one >= other for one, other in zip(self.received, self.received[1:]))
        return {
            "lost": len(lost), "which": lost[:5], "reported": len(missing) - len(lost), "gaps": len(self.gaps),
            "duplicated": len(self.received) - len(set(self.received)), "disordered": disordered,
            "received": len(self.received),
        }


def percentiles(delays):
    """Returns the 50th and 99th percentile and the maximum, in milliseconds."""
    delays = sorted(delays)
    return [round(1000 * delays[min(int(part * len(delays)), len(delays) - 1)], 1) for part in (0.5, 0.99, 1)]


async def main():
    run = Run(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
    reader, writer = await run.connect()
    writer.write(wire.follow("short-poll", TOPIC, "now"))
    since = json.loads((await response(reader))[2])["next"]
    writer.close()
    followers = [Follower(run, transport, since) for transport in ("sse", "websocket", "long-poll", "short-poll")]
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    publisher = asyncio.create_task(publishing(run))
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while command := (await commands.readline()).decode().strip():
        if command == "stop":
            break
        run.phase = command.removeprefix("phase ")
    run.stopped.set()
    await publisher
    last = run.accepted[-1] if run.accepted else 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if all(follower.received and follower.received[-1] >= last for follower in followers):
            break
        # If a restart has dropped the last events, a follower receives only the report of the gap.
        if all(bisect.bisect(follower.received, last) or follower.gaps for follower in followers) and all(
            follower.outcome()["lost"] == 0 for follower in followers
        ):
            break
        await asyncio.sleep(0.05)
    for follower in followers:
        follower.done = True
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    # A phase may consist of parts, such as `during: this` and `during: that`.
    combined = {}
    for phase, delays in run.delays.items():
        combined.setdefault(phase.split(":")[0], []).extend(delays)
    print(json.dumps({
        "accepted": len(run.accepted), "uncertain": run.uncertain, "refused": run.refused,
        "reconnects": run.reconnects,
        "followers": {follower.transport: follower.outcome() for follower in followers},
        "delays": {phase: percentiles(delays) for phase, delays in {**run.delays, **combined}.items()},
    }), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
