"""Hundreds of peers: connections from several addresses, with an exchange on all of them at once.
"""

import resource
import select
import socket
import time

# Delays the choice of the port until the destination is known, so that each address has all ports
# (ip(7)).
IP_BIND_ADDRESS_NO_PORT = 24
# Connections per loopback address: somewhat fewer than it has ports.
PER_ADDRESS = 4000


def affordable(wanted, reserved=500):
    """Returns the number of connections wanted, or fewer if the limit of open files allows only
    that many.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(wanted, max(100, files - reserved))


def dial(address, number=0, receive=None):
    """Begins connection `number` of many; `receive` is the size of its receive buffer."""
    peer = socket.socket()
    peer.setblocking(False)
    if receive:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    if address[0].startswith("127."):
        peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        peer.bind((f"127.0.0.{2 + number // PER_ADDRESS % 250}", 0))
    peer.connect_ex(address)
    return peer


class Exchange:
    """Many connections that each send some bytes, and keep what they receive until they end."""

    def __init__(self, address, payloads, receive=None):
        self.epoll = select.epoll()
        self.received = [b""] * len(payloads)
        self.ended = [None] * len(payloads)
        self.broken = 0
        self.unsent = list(payloads)
        self.peers, self.by_fd = [], {}
        self.began = time.monotonic()
        for number in range(len(payloads)):
            peer = dial(address, number, receive)
            self.peers.append(peer)
            self.by_fd[peer.fileno()] = number
            self.epoll.register(peer.fileno(), select.EPOLLOUT | select.EPOLLIN)
            if number % 512 == 511:
                self.poll_once(0)

    def send(self, number, data):
        """Queues more bytes on one connection, unless it has ended."""
        if self.ended[number] is None:
            self.unsent[number] += data
            self.epoll.modify(self.peers[number].fileno(), select.EPOLLOUT | select.EPOLLIN)

    def poll_once(self, timeout):
        """Handles the events of one poll."""
        for fd, event in self.epoll.poll(timeout):
            number = self.by_fd[fd]
            try:
                if event & select.EPOLLOUT:
                    sent = self.peers[number].send(self.unsent[number]) if self.unsent[number] else 0
                    self.unsent[number] = self.unsent[number][sent:]
                    if not self.unsent[number]:
                        self.epoll.modify(fd, select.EPOLLIN)
                if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                    part = self.peers[number].recv(65536)
                    # The cases look only at the beginning.
                    self.received[number] = (self.received[number] + part)[:4096]
                    if not part:
                        self.end(number)
            except BlockingIOError:
                pass
            except OSError:
                self.broken += 1
                self.end(number)

    def end(self, number):
        """Closes one connection."""
        if self.ended[number] is None:
            self.ended[number] = time.monotonic() - self.began
            self.epoll.unregister(self.peers[number].fileno())
            del self.by_fd[self.peers[number].fileno()]
            self.peers[number].close()

    def until(self, done, seconds):
        """Runs until `done()` or for the given seconds. Returns whether `done()` held."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= deadline:
                return False
            self.poll_once(0.05)
        return True

    def all_sent(self):
        return not any(self.unsent)

    def all_ended(self):
        return not self.by_fd

    def all_received(self):
        return all(self.received[number] for number in self.by_fd.values())

    def close(self):
        """Closes the remaining connections."""
        for number in list(self.by_fd.values()):
            self.end(number)
        self.epoll.close()
