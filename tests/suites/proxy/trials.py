"""The trials of one front end. Each trial fills a cell of the table: yes, or how it breaks in a few
words. A lost event is never a cell but an error, wherever it happens.
"""

import json
import statistics
import threading
import time

from clients import CUT, HOST, TRANSPORTS, EventStream, LongPoll, Poll, WebSocket, Wire, fetch, read_response, request
from fronts import ORIGIN, Front, Server, wait_for

SILENCE = 65  # seconds: longer than any default timeout of a proxy
AT_ONCE = 5  # seconds: an event that takes longer is held back, and not only late because the machine is busy
LATE = 0.15  # seconds: if even the fastest of many takes longer, the proxy waits for more data (TCP_CORK does so for 0.2 s)
LINE = (1 << 15) - 1
BATCH = 32  # lines of LINE bytes and a line end: exactly 1 MiB
SECRET = "a-secret-0123456789"
NO_HEARTBEATS = ("--heartbeat", "86400", "--ping-interval", "86400")

# The table's rows and their titles.
ROWS = {
    **{("at once", kind): f"{kind.name}: an event arrives at once" for kind in TRANSPORTS},
    **{("silence", kind): f"{kind.name}: {SILENCE} s of silence" for kind in TRANSPORTS},
    **{("mute", kind): f"{kind.name}: {SILENCE} s of silence, without heartbeats" for kind in (EventStream, WebSocket)},
    **{("reload", kind): f"{kind.name}: a reload and a restart, nothing lost or doubled" for kind in TRANSPORTS},
    "old": "35 s after a reload the old process is gone",
    **{("slow", kind): f"{kind.name}: a slow reader of 6 MiB" for kind in TRANSPORTS},
    "bodies": "an event of 64 KiB, one in chunks, 1 MiB of many",
    "refused": "413 before the whole body is sent",
    "codes": "WebSocket: close codes pass, both ways",
    **{("end", kind): f"{kind.name}: the server's own end passes" for kind in (LongPoll, EventStream, WebSocket)},
    **{("leaves", kind): f"{kind.name}: a client that leaves is noticed" for kind in (LongPoll, EventStream, WebSocket)},
    "origin": "a page may publish if `Host` is its own",
    "kept": "connections to the server are reused",
    "token": "no access token in the access log",
    "requests": "concurrent requests per address are limited",
    "publishes": "publishes per address are limited",
}


class Trials:
    """All trials of one front end."""

    def __init__(self, kind, program, work, certificate):
        self.kind, self.program, self.work, self.certificate = kind, program, work, certificate
        self.cells, self.delays, self.errors, self.running = {}, {}, [], []

    def run(self):
        """Runs the trials and fills `cells`, `delays` and `errors`."""
        try:
            self.main, self.mute, self.reloaded = (self.instance(name, *options) for name, options in (("main", ()), ("mute", NO_HEARTBEATS), ("reloaded", ())))
            self.together(self.quick_trials, self.silent_trials, self.mute_trials, self.reload_trial)
            self.together(self.limit_trials)
            self.together(self.end)
        except Exception as error:  # noqa: BLE001: any exception fails the run
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            for process in reversed(self.running):
                process.stop()

    def together(self, *parts):
        def guarded(part):
            try:
                part()
            except Exception as error:  # noqa: BLE001: any exception fails the run
                line = error.__traceback__
                while line.tb_next:
                    line = line.tb_next
                self.errors.append(f"{part.__name__}, line {line.tb_lineno}: {type(error).__name__}: {error}")

        threads = [threading.Thread(target=guarded, args=[part]) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def instance(self, name, *options):
        work = self.work / name
        work.mkdir(parents=True)
        server = Server(self.program, work, *options)
        self.running.append(server)
        front = Front(self.kind, server, work, self.certificate)
        self.running.append(front)
        front.start()
        return front

    # Helpers of the trials.

    def publish(self, address, topic, data, *fields, wire=None):
        response = fetch(address, "POST", f"/topics/{topic}", fields, data.encode(), wire=wire)
        assert response.status == 201, f"a publish got {response.status}"
        published = json.loads(response.body)
        return published.get("ids") or published["id"]

    def follower(self, kind, front, topic, **named):
        """Publishes one event on a new topic and starts a follower after it. The follower's
        `failures` are set if it could not connect.
        """
        first = self.publish(front.server.address, topic, "first")
        follower = kind(front.address, topic, first, **named)
        follower.opened(AT_ONCE)
        return follower

    def check_delivery(self, follower, front, expected):
        """Asserts that nothing was lost or duplicated: the follower's events, plus those that polls
        from its cursor return.
        """
        follower.disconnect()
        rest = Poll(front.address, follower.topic, follower.cursor)
        had = [event[:2] for event in follower.events]
        if expected and (not had or had[-1] != expected[-1]):
            arrived = rest.until(expected[-1][0], 30)
            assert arrived, f"{follower.name} on {follower.topic}: the last event is lost; its cursor is {follower.cursor}"
            rest.disconnect()
        had += [event[:2] for event in rest.events]
        ids = [event for event, _ in had]
        assert had == expected, f"{follower.name} on {follower.topic}: {len(ids)} events, {len(set(ids))} of them distinct, expected {len(expected)}"
        assert "gap" not in follower.failures + rest.failures, f"{follower.name} on {follower.topic} received a gap"

    def cell(self, row, follower, arrived):
        """Fills a cell with the outcome."""
        if follower.failures:
            self.cells[row] = f"no: {follower.failures[0]}"
        else:
            self.cells[row] = "yes" if arrived else "no: held back"

    # The trials.

    def quick_trials(self):
        for kind in TRANSPORTS:
            self.at_once(kind)
        self.bodies()
        self.refused()
        self.codes()
        self.origin()
        self.kept()
        self.token()
        for kind in TRANSPORTS:
            self.slow(kind)

    def at_once(self, kind):
        front = self.main
        follower = self.follower(kind, front, f"once-{kind.name.replace(' ', '-')}")
        wire, expected, delays, arrived = Wire(front.address.connect()), [], [], True
        for number in range(20):
            follower.pump(0.01)
            start, data = time.monotonic(), f"event {number}"
            expected.append((self.publish(front.address, follower.topic, data), data))
            arrived = not follower.failures and follower.until(expected[-1][0], AT_ONCE)
            if not arrived:
                break
            delays.append(follower.events[-1][2] - start)
        wire.close()
        self.cell(("at once", kind), follower, arrived)
        if arrived and min(delays) > LATE:
            self.cells["at once", kind] = "no: each 0.2 s late"
        self.delays[kind] = (statistics.median(delays), max(delays)) if arrived else None
        self.check_delivery(follower, front, expected)

    def bodies(self):
        front = self.main
        first = self.publish(front.server.address, "bodies", "first")
        big = "b" * (1 << 16)
        expected = [(self.publish(front.address, "bodies", big), big)]
        wire = Wire(front.address.connect())
        wire.send(f"POST /topics/bodies HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nin ch\r\n4\r\nunks\r\n0\r\n\r\n".encode())
        response = read_response(wire)
        assert response.status == 201, f"a chunked publish got {response.status}"
        expected.append((json.loads(response.body)["id"], "in chunks"))
        wire.close()
        expected += self.batch(front.address, "bodies", 0)
        self.check_delivery(Poll(front.address, "bodies", first), front, expected)
        self.cells["bodies"] = "yes"

    def batch(self, address, topic, number):
        lines = [f"{number}/{line} ".ljust(LINE, "x") for line in range(BATCH)]
        ids = self.publish(address, topic, "".join(f"{line}\n" for line in lines), ("Content-Type", "application/x-ndjson"))
        return list(zip(ids, lines, strict=True))

    def refused(self):
        # Too large for the server but not for the proxies: the server responds and closes while the
        # body is still being sent.
        try:
            statuses = {fetch(self.main.address, "POST", "/topics/refused", body=b"x" * 900_000).status for _ in range(10)}
            self.cells["refused"] = "yes" if statuses == {413} else f"no: {sorted(statuses)}"
        except CUT:
            self.cells["refused"] = "no: cut"

    def codes(self):
        codes = []
        for opcode, payload, closing in ((8, (4321).to_bytes(2, "big"), True), (2, b"binary", False)):
            follower = self.follower(WebSocket, self.main, "codes")
            if follower.failures:
                self.cells["codes"] = f"no: {follower.failures[0]}"
                return
            follower.closing = closing
            follower.send(opcode, payload)
            end = time.monotonic() + 20
            while not follower.failures and time.monotonic() < end:
                follower.pump(0.1)
            codes += follower.failures
        self.cells["codes"] = "yes" if codes == ["close 4321", "close 1003"] else f"no: {codes}"

    def origin(self):
        # The server listens on loopback, so without further options only a name of loopback is its
        # own.
        name = "app.localhost" + (f":{self.main.server.port}" if self.kind == "none" else "")
        own = fetch(self.main.address, "POST", "/topics/origin", [("Origin", f"http://{name}")], b"x", host=name)
        self.cells["origin"] = "yes" if own.status == 201 else f"no: {own.status}"
        for origin, status in ((ORIGIN, 201), ("https://foreign.example", 403)):
            response = fetch(self.main.address, "POST", "/topics/origin", [("Origin", origin)], b"x")
            assert response.status == status, f"{origin} got {response.status}, expected {status}"

    def kept(self):
        wire = Wire(self.main.address.connect())
        for _ in range(10):
            response = fetch(self.main.address, "GET", "/topics/kept", wire=wire)
            assert response.status == 200, f"a poll got {response.status}"
        wire.close()
        log, path = self.main.server.log, '"/topics/kept"'
        # The server writes log lines at the end of a loop iteration, after the responses.
        wait_for(lambda: log.read_text().count(path) == 10, 20, "ten lines appear in the server's log")
        peers = {json.loads(line)["peer"] for line in log.read_text().splitlines() if path in line}
        self.cells["kept"] = "yes" if len(peers) < 10 else "no: one for each request"

    def token(self):
        assert fetch(self.main.address, "GET", f"/topics/token?access_token={SECRET}").status == 200
        log = self.main.server.log if self.kind == "none" else self.main.access_log
        wait_for(lambda: "/topics/token" in log.read_text(), 20, "a line appears in the access log")
        self.cells["token"] = "no: it is there" if SECRET in log.read_text() else "yes"

    def slow(self, kind):
        front = self.main
        follower = self.follower(kind, front, f"slow-{kind.name.replace(' ', '-')}", receive_buffer=8192)
        expected = [event for number in range(6) for event in self.batch(front.server.address, follower.topic, number)]
        if not follower.failures:
            follower.pump(0)
            quick = EventStream(front.server.address, follower.topic, expected[0][0])
            assert quick.until(expected[-1][0], 30), "a slow reader delays other followers"
            quick.disconnect()
            time.sleep(2)
        arrived = not follower.failures and self.reads(follower, expected[-1][0])
        self.cell(("slow", kind), follower, arrived)
        self.check_delivery(follower, front, expected)

    def reads(self, follower, last):
        """Reads until no more events arrive."""
        had = -1
        while had < len(follower.events):
            had = len(follower.events)
            if follower.until(last, 2 * AT_ONCE):
                return True
        return False

    def silent_trials(self):
        self.silence("silence", self.main, TRANSPORTS)

    def mute_trials(self):
        for kind in (LongPoll, EventStream, WebSocket):
            self.leaves(kind)
        self.silence("mute", self.mute, (EventStream, WebSocket))

    def silence(self, row, front, kinds):
        followers = [self.follower(kind, front, f"silent-{kind.name.replace(' ', '-')}") for kind in kinds]
        end = time.monotonic() + SILENCE
        while time.monotonic() < end:
            for follower in followers:
                # A short poll is silent between two requests on its connection.
                if type(follower) is not Poll and not (follower.failures and follower.failures[0].endswith("for 101")):
                    follower.pump(0.2)
            time.sleep(0.2)
        for follower in followers:
            event = (self.publish(front.server.address, follower.topic, "at last"), "at last")
            able = not (follower.failures and follower.failures[0].endswith("for 101"))
            arrived = able and follower.until(event[0], AT_ONCE)
            self.cell((row, type(follower)), follower, arrived)
            self.check_delivery(follower, front, [event])

    def leaves(self, kind):
        front, server = self.mute, self.mute.server
        before = server.metric("connections")
        follower = self.follower(kind, front, f"leaves-{kind.name.replace(' ', '-')}")
        if follower.failures:
            self.cells["leaves", kind] = f"no: {follower.failures[0]}"
            return
        wait_for(lambda: server.metric("connections") > before, 20, f"the {kind.name} is connected")
        follower.disconnect()
        try:
            wait_for(lambda: server.metric("connections") <= before, 2 * AT_ONCE, "the server notices the end")
            self.cells["leaves", kind] = "yes"
        except AssertionError:
            self.cells["leaves", kind] = "no: at its response" if kind is LongPoll else "no: at the next write"

    def reload_trial(self):
        front = self.reloaded
        first = self.publish(front.server.address, "reload", "first")
        followers = [kind(front.address, "reload", first) for kind in TRANSPORTS]
        for follower in followers:
            follower.opened(AT_ONCE)
        able = [follower for follower in followers if not (follower.failures and follower.failures[0].endswith("for 101"))]
        start, expected, old = time.monotonic(), [], None
        restarted = self.kind == "none"

        def publish():
            data = f"event {len(expected)}"
            expected.append((self.publish(front.server.address, "reload", data), data))

        while (now := time.monotonic() - start) < 42:
            if now > len(expected) / 4:
                publish()
            if self.kind != "none" and old is None and now > 2:
                old = front.reload()
            if not restarted and now > 38:
                self.cells["old"] = "no" if any(self.is_alive(pid) for pid in old) else "yes"
                front.stop()
                publish()
                front.start()
                restarted = True
            for follower in able:
                follower.pump(0.02)
        self.cells.setdefault("old", "–")
        for follower in followers:
            arrived = follower in able and follower.until(expected[-1][0], AT_ONCE)
            if follower in able:
                self.cells["reload", type(follower)] = "yes" if arrived else "no: held back"
            else:
                self.cell(("reload", type(follower)), follower, arrived)
            self.check_delivery(follower, front, expected)

    def is_alive(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def limit_trials(self):
        front = self.main
        first = self.publish(front.server.address, "bounds", "first")
        wires = []
        for _ in range(110):
            wire = Wire(front.address.connect())
            wire.send(request("GET", f"/topics/bounds?since={first}&wait=60"))
            wires.append(wire)
        # Accepted polls are held, so the first response, if there is one, is a refusal.
        limit = time.monotonic() + AT_ONCE
        while not (refused := any(self.has_status(wire, b" 429 ") for wire in wires)) and time.monotonic() < limit:
            pass
        for wire in wires:
            wire.close()
        self.cells["requests"] = "yes" if refused else "no"
        self.cells["publishes"] = "yes" if 429 in self.flood() else "no"

    def flood(self):
        """Sends 1,500 publishes, a hundred per write, so that the proxy determines their rate.
        Returns their statuses.
        """
        statuses, at_once = set(), 100
        for _ in range(3):
            wire = Wire(self.main.address.connect())
            for _ in range(5):
                wire.send(request("POST", "/topics/flood", body=b"x") * at_once)
                statuses |= {read_response(wire).status for _ in range(at_once)}
            wire.close()
        assert statuses <= {201, 429}, f"the publishes got {statuses}, expected only 201 and 429"
        return statuses

    def has_status(self, wire, status):
        try:
            wire.more(0.01)
        except CUT:
            pass
        return status in wire.bytes[:16]

    def end(self):
        front = self.main
        followers = [self.follower(kind, front, f"end-{kind.name.replace(' ', '-')}") for kind in (LongPoll, EventStream, WebSocket)]
        poll, stream, socket = followers
        for follower in followers:
            if not follower.failures:
                follower.pump(0.2)
        stream.retry = None
        pending = poll.response
        front.server.process.terminate()
        limit = time.monotonic() + 20
        while time.monotonic() < limit and not (poll.failures or pending.complete):
            poll.pump(0.1)
        self.cells["end", LongPoll] = "yes" if pending.complete and pending.status == 200 else f"no: {poll.failures}"
        while time.monotonic() < limit and not stream.failures:
            stream.pump(0.1)
        right = stream.failures == ["end"] and stream.retry is not None
        self.cells["end", EventStream] = "yes" if right else f"no: {(stream.failures or ['held back'])[0]}"
        while time.monotonic() < limit and not socket.failures:
            socket.pump(0.1)
        right = socket.failures == ["close 1001"]
        self.cells["end", WebSocket] = "yes" if right else f"no: {(socket.failures or ['held back'])[0]}"
