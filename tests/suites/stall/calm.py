"""The calm clients: two processes that use the server normally during an attack, over connections
that stay open. One polls a topic. The other publishes to it and follows it as an event stream.

For each request they measure the time until the response, and the processor time that the server
used meanwhile. A loop iteration that is too long delays the response by all of its processor time.
A machine with other work delays the response too, but adds no processor time to the server.
"""

import multiprocessing
import os
import socket
import time

import wire
from outcome import Fault
from server import kill_with_parent

# Seconds between two rounds of requests.
INTERVAL = 0.005
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


class Client:
    """The measurements of a client, in milliseconds."""

    def __init__(self, address, pid, topic):
        self.address, self.clock, self.topic = address, server_clock(pid), topic
        # The delays of responses, those of events, and the server's processor time for both.
        self.delays, self.deliveries, self.waits, self.delivery_waits = [], [], [], []

    def connect(self):
        connection = socket.create_connection(self.address, timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def receive(self, connection, mark):
        received = b""
        while mark not in received:
            part = connection.recv(65536)
            if not part:
                raise Fault(f"the server closed a calm connection after {received[-200:]!r}")
            received += part
        return received

    def note(self, began, delays, waits):
        used, at = began
        waits.append((time.clock_gettime(self.clock) - used) * 1000)
        delays.append((time.monotonic() - at) * 1000)

    def exchange(self, connection, request):
        """Sends a request and waits for the response. Returns the clocks before the request."""
        began = time.clock_gettime(self.clock), time.monotonic()
        connection.sendall(request)
        response = self.receive(connection, b'"}')
        self.note(began, self.delays, self.waits)
        if not response.startswith(b"HTTP/1.1 20"):
            raise Fault(f"the server answered a calm request with {response[:200]!r}")
        return began

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


class Poller(Client):
    """Polls the topic."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connection = self.connect()

    def round(self):
        self.exchange(self.connection, wire.request(f"/topics/{self.topic}?since=now"))


class Publisher(Client):
    """Publishes to the topic, and waits for each event as a follower."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.number = 0
        self.connection, self.follower = self.connect(), self.connect()
        self.follower.sendall(wire.follow("sse", self.topic))
        self.receive(self.follower, b"id: ")

    def round(self):
        self.number += 1
        body = b"calm %d" % self.number
        began = self.exchange(self.connection, wire.publish(self.topic, body))
        self.receive(self.follower, b"data: %s\n" % body)
        self.note(began, self.deliveries, self.delivery_waits)


def _serve(kind, pipe, *arguments):
    kill_with_parent()
    prefer()
    try:
        client = kind(*arguments)
        pipe.send("ready")
        client.run(pipe)
        pipe.send((client.delays, client.deliveries, client.waits, client.delivery_waits))
    except Fault as fault:
        pipe.send(fault)
    except OSError as error:
        pipe.send(Fault(f"a calm client: {error!r}"))


class Process:
    """A running client."""

    def __init__(self, kind, server, topic):
        self.pipe, pipe = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        arguments = (kind, pipe, server.address, server.pid, topic)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        self.expect("ready")

    def expect(self, what):
        if not self.pipe.poll(PATIENCE + 5):
            raise Fault(f"a calm client is not {what}")
        answer = self.pipe.recv()
        if isinstance(answer, Fault):
            raise answer
        return answer


class Calm:
    """Both clients."""

    def __init__(self, server, topic):
        self.clients = [Process(kind, server, topic) for kind in (Publisher, Poller)]

    def pause(self):
        """Returns when no request is under way."""
        for client in self.clients:
            client.pipe.send("pause")
        for client in self.clients:
            client.expect("paused")

    def resume(self):
        """Lets the next requests go out."""
        for client in self.clients:
            client.pipe.send("resume")

    def stop(self):
        """Ends the processes. Returns the delays until a response, the delays until an event, and
        the processor time of the server until a response and until an event, in milliseconds.
        """
        for client in self.clients:
            client.pipe.send("stop")
        measured = [client.expect("stopped") for client in self.clients]
        return [[value for values in column for value in values] for column in zip(*measured)]
