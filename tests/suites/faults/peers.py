"""Peers by the hundred: connections from several addresses, and exchanges on all of them at once."""

import resource
import select
import socket
import time

# The port is chosen when it is known where to, so that each address has all of them (ip(7)).
IP_BIND_ADDRESS_NO_PORT = 24
# As many as one loopback address has ports for, and some less.
AN_ADDRESS = 4000


def room(wanted, beside=500):
    """As many connections as wanted, or as the limit of open files has room for."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(wanted, max(100, files - beside))


def dial(address, number=0, receive=None):
    """Begins a connection, the `number`th of many; `receive` is the size of its receive buffer."""
    peer = socket.socket()
    peer.setblocking(False)
    if receive:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    if address[0].startswith("127."):
        peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        peer.bind((f"127.0.0.{2 + number // AN_ADDRESS % 250}", 0))
    peer.connect_ex(address)
    return peer


class Exchange:
    """Many connections that say something each, and keep what they hear until it ends."""

    def __init__(self, address, payloads, receive=None):
        self.epoll = select.epoll()
        self.heard = [b""] * len(payloads)
        self.ended = [None] * len(payloads)
        self.broken = 0
        self.left = list(payloads)
        self.peers, self.by_fd = [], {}
        self.began = time.monotonic()
        for number in range(len(payloads)):
            peer = dial(address, number, receive)
            self.peers.append(peer)
            self.by_fd[peer.fileno()] = number
            self.epoll.register(peer.fileno(), select.EPOLLOUT | select.EPOLLIN)
            if number % 512 == 511:
                self.turn(0)

    def say(self, number, data):
        """More to say on one of them, if it has not ended."""
        if self.ended[number] is None:
            self.left[number] += data
            self.epoll.modify(self.peers[number].fileno(), select.EPOLLOUT | select.EPOLLIN)

    def turn(self, timeout):
        """What the poll tells of, once."""
        for fd, event in self.epoll.poll(timeout):
            number = self.by_fd[fd]
            try:
                if event & select.EPOLLOUT:
                    sent = self.peers[number].send(self.left[number]) if self.left[number] else 0
                    self.left[number] = self.left[number][sent:]
                    if not self.left[number]:
                        self.epoll.modify(fd, select.EPOLLIN)
                if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                    part = self.peers[number].recv(65536)
                    # What is looked at is at the beginning.
                    self.heard[number] = (self.heard[number] + part)[:4096]
                    if not part:
                        self.end(number)
            except BlockingIOError:
                pass
            except OSError:
                self.broken += 1
                self.end(number)

    def end(self, number):
        """It is over, for one of them."""
        if self.ended[number] is None:
            self.ended[number] = time.monotonic() - self.began
            self.epoll.unregister(self.peers[number].fileno())
            del self.by_fd[self.peers[number].fileno()]
            self.peers[number].close()

    def until(self, done, seconds):
        """Goes on until `done()`, or the time is over; says which."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= deadline:
                return False
            self.turn(0.05)
        return True

    def all_ended(self):
        return not self.by_fd

    def all_heard(self):
        return all(self.heard[number] for number in self.by_fd.values())

    def close(self):
        """Ends those that are left."""
        for number in list(self.by_fd.values()):
            self.end(number)
        self.epoll.close()
