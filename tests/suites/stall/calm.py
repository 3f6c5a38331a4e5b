"""The calm client: a process that uses the server normally during an attack. About every 10 ms it
polls a topic and publishes to it, over connections that stay open, and follows it as an event
stream.

For each request it measures the time until the response, and the processor time that the server
used meanwhile. A loop iteration that is too long delays the response by all of its processor time.
A machine with other work delays the response too, but adds no processor time to the server.
"""

import multiprocessing
import os
import select
import socket
import time

import wire
from server import kill_with_parent

# Seconds between two rounds of requests.
INTERVAL = 0.01
# Seconds after which a response is missing.
PATIENCE = 60


def server_clock(pid):
    """Returns the clock of the processor time of a process, for clock_gettime(2)."""
    return (~pid << 3) | 2


def prefer():
    """Gives this process the next free processor, so that it notes an answer when it arrives."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        # Only root may do this. Without it, the figures are somewhat higher.
        pass


class CalmClient:
    """Three connections and what was measured on them, in milliseconds."""

    def __init__(self, address, pid, topic):
        self.clock = server_clock(pid)
        self.topic, self.number = topic, 0
        self.request = wire.request(f"/topics/{topic}?since=now")
        self.poller, self.publisher, self.follower = (self._connect(address) for _ in range(3))
        self.follower.sendall(wire.follow("sse", topic))
        self._receive(self.follower, b"id: ")
        self.delays, self.deliveries, self.waits = [], [], []

    def _connect(self, address):
        connection = socket.create_connection(address, timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _receive(self, connection, mark):
        received = b""
        while mark not in received:
            part = connection.recv(65536)
            if not part:
                raise ConnectionError(f"the server closed a calm connection after {received[-200:]!r}")
            received += part
        return received

    def _exchange(self, connection, request):
        used, began = time.clock_gettime(self.clock), time.monotonic()
        connection.sendall(request)
        response = self._receive(connection, b'"}')
        self.waits.append((time.clock_gettime(self.clock) - used) * 1000)
        self.delays.append((time.monotonic() - began) * 1000)
        if not response.startswith(b"HTTP/1.1 20"):
            raise ConnectionError(f"the server answered a calm request with {response[:200]!r}")
        return began

    def round(self):
        """Polls, and then publishes and waits until the event has arrived."""
        self._exchange(self.poller, self.request)
        self.number += 1
        body = b"calm %d" % self.number
        began = self._exchange(self.publisher, wire.publish(self.topic, body))
        self._receive(self.follower, b"data: %s\n" % body)
        self.deliveries.append((time.monotonic() - began) * 1000)

    def run(self, pipe):
        """Sends requests until the pipe says `stop`, and none between `pause` and `resume`."""
        while True:
            command = pipe.recv() if pipe.poll(INTERVAL) else None
            if command == "stop":
                return
            if command == "pause":
                pipe.send("paused")
                pipe.recv()
            self.round()


def _serve(pipe, address, pid, topic):
    kill_with_parent()
    prefer()
    client = None
    try:
        client = CalmClient(address, pid, topic)
        pipe.send("ready")
        client.run(pipe)
        pipe.send((client.delays, client.deliveries, client.waits))
    except OSError as error:
        pipe.send(f"the calm client: {error!r}")


class Calm:
    """The running process."""

    def __init__(self, server, topic):
        self.pipe, pipe = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=_serve, args=(pipe, server.address, server.pid, topic), daemon=True)
        self.process.start()
        self._expect("ready")

    def _expect(self, what):
        if not self.pipe.poll(PATIENCE + 5):
            raise ConnectionError(f"the calm client is not {what}")
        answer = self.pipe.recv()
        if isinstance(answer, str) and answer != what:
            raise ConnectionError(answer)
        return answer

    def pause(self):
        """Returns when no request is under way."""
        self.pipe.send("pause")
        self._expect("paused")

    def resume(self):
        """Lets the next request go out."""
        self.pipe.send("resume")

    def stop(self):
        """Ends the process. Returns the delays until a response, the delays until an event, and
        the processor time of the server per response, all in milliseconds.
        """
        self.pipe.send("stop")
        measured = self._expect("stopped")
        self.process.join(5)
        return measured
