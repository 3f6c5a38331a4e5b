"""Those who behave well: a publisher of numbered events, and a follower on each transport, in a process of their own.

    beside.py ADDRESS PORT [TOKEN]

Every 20 ms the publisher sends a number, whether its last one is answered or not; where its connection ends before the
answer, that number is uncertain, and the next one goes out on a new connection. The followers resume by id when their
connection ends. Lines on standard input: `phase NAME` begins a part of the run, `stop` ends the publishing; then what each
follower has seen is compared with what was accepted (201), and the outcome is printed as JSON. The first line says that the first
number was accepted.
"""

import asyncio
import bisect
import json
import random
import sys
import time

import wire

EVERY = 0.02
TOPIC = "beside"
# How long a follower may take for the last event, once the publishing has stopped.
PATIENCE = 40


class Run:
    """What is known of all: numbers published, when, in which phase, and what came of them."""

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


async def answer(reader):
    """One answer: status, fields, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    length = int(fields.get("content-length", 0))
    body = await reader.readexactly(length)
    return int(lines[0].split()[1]), fields, body


async def publishing(run):
    """Publishes until it is stopped. A delay counts from when the number was due, not from when there was time for it."""
    number, due = 0, time.monotonic()
    while not run.stopped.is_set():
        waiting = []
        try:
            reader, writer = await run.connect()
        except OSError:
            await asyncio.sleep(0.1)
            due = time.monotonic()
            continue

        async def answers():
            while True:
                status, _, _ = await answer(reader)
                outcome = waiting.pop(0)
                if status == 201:
                    if not run.accepted:
                        print("under way", flush=True)
                    run.accepted.append(outcome)
                else:
                    run.refused += 1

        answering = asyncio.create_task(answers())
        while not run.stopped.is_set() and not answering.done():
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
                continue
            number += 1
            run.sent[number] = (due, run.phase)
            waiting.append(number)
            due += EVERY
            writer.write(wire.publish(TOPIC, str(number).encode(), run.fields))
        if run.stopped.is_set():
            for _ in range(200):
                if not waiting or answering.done():
                    break
                await asyncio.sleep(0.1)
        if not answering.done():
            answering.cancel()
        elif not answering.cancelled():
            answering.exception()
        run.uncertain += len(waiting)
        writer.close()


class Follower:
    """One that follows by a transport, from an id on."""

    def __init__(self, run, transport, since):
        self.run, self.transport, self.last = run, transport, since
        self.seen, self.gaps = [], []
        self.retry = 0.3
        self.done = False

    def take(self, id, data):
        number = int(data)
        self.seen.append(number)
        due, phase = self.run.sent.get(number, (None, None))
        if self.transport != "short-poll" and due is not None:
            self.run.delays.setdefault(phase, []).append(time.monotonic() - due)
        self.last = id

    def gap(self):
        self.gaps.append(len(self.seen))

    async def go(self):
        """Follows, and comes back when the connection is over."""
        how = {"sse": self.stream, "websocket": self.socket}.get(self.transport, self.poll)
        while not self.done:
            writer = None
            try:
                reader, writer = await self.run.connect()
                await how(reader, writer)
            except (OSError, EOFError, asyncio.TimeoutError):
                pass
            finally:
                if writer:
                    writer.close()
            if not self.done:
                self.run.reconnects += 1
                # As the page does: drawn by chance from the upper half.
                await asyncio.sleep(self.retry * (0.5 + random.random() / 2))

    async def poll(self, reader, writer):
        while not self.done:
            writer.write(wire.follow(self.transport, TOPIC, self.last))
            status, fields, body = await answer(reader)
            if status != 200:
                self.retry = float(fields.get("retry-after", self.retry))
                return
            told = json.loads(body)
            if told.get("gap"):
                self.gap()
            for event in told["events"]:
                self.take(event["id"], event["data"])
            self.last = told["next"]
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
                    self.gap()
                    self.last = fields["id"]
                elif "data" in fields:
                    self.take(fields["id"], fields["data"])
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
                told = json.loads(payload)
                if "gap" in told:
                    self.gap()
                if "next" in told:
                    self.last = told["next"]
                else:
                    self.take(told["id"], told["data"])

    def outcome(self):
        """What of the accepted is missing without a word, and what came twice or out of order."""
        missing = sorted(set(self.run.accepted) - set(self.seen))
        # A gap stands between two that were seen: what is missing there was told.
        told = [
            (self.seen[at - 1] if at else 0, self.seen[at] if at < len(self.seen) else float("inf")) for at in self.gaps
        ]
        lost = [number for number in missing if not any(low < number < high for low, high in told)]
        increasing = sum(one >= other for one, other in zip(self.seen, self.seen[1:]))
        return {
            "lost": len(lost), "which": lost[:5], "told": len(missing) - len(lost), "gaps": len(self.gaps),
            "doubled": len(self.seen) - len(set(self.seen)), "disordered": increasing, "seen": len(self.seen),
        }


def percentiles(delays):
    """p50, p99 and the highest, in milliseconds."""
    delays = sorted(delays)
    return [round(1000 * delays[min(int(part * len(delays)), len(delays) - 1)], 1) for part in (0.5, 0.99, 1)]


async def main():
    run = Run(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
    reader, writer = await run.connect()
    writer.write(wire.follow("short-poll", TOPIC, "now"))
    since = json.loads((await answer(reader))[2])["next"]
    writer.close()
    followers = [Follower(run, transport, since) for transport in ("sse", "websocket", "long-poll", "short-poll")]
    tasks = [asyncio.create_task(follower.go()) for follower in followers]
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
        if all(follower.seen and follower.seen[-1] >= last for follower in followers):
            break
        # Where a restart has taken the last events with it, there is nothing more to come than the word of it.
        if all(bisect.bisect(follower.seen, last) or follower.gaps for follower in followers) and all(
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
    # A phase may have parts: `during: this`, `during: that`.
    whole = {}
    for phase, delays in run.delays.items():
        whole.setdefault(phase.split(":")[0], []).extend(delays)
    print(json.dumps({
        "accepted": len(run.accepted), "uncertain": run.uncertain, "refused": run.refused,
        "reconnects": run.reconnects,
        "followers": {follower.transport: follower.outcome() for follower in followers},
        "delays": {phase: percentiles(delays) for phase, delays in {**run.delays, **whole}.items()},
    }), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
