"""One run of a row: a fresh server, the calm client, the attackers, and what was measured."""

import os
import re
import signal
import time
from dataclasses import dataclass

from calm import Calm, server_clock
from outcome import Fault
from server import Server, eventually
from swarm import QUIET, Attackers

# Seconds that an endless attack lasts, and the most that another one may last.
SECONDS, SHORT_SECONDS = 2.5, 1
PATIENCE, SHORT_PATIENCE = 8, 3
BUCKET = re.compile(r'^barewire_iteration_seconds_bucket\{le="([^"]+)"\}$')


@dataclass
class Measured:
    """The results of a run: times in milliseconds, memory in bytes."""

    # The most processor time of the server between a request and its response.
    wait: float
    # The highest bucket of the server's own histogram with an iteration in it, and the most work of
    # an iteration; None if the server has no such metric.
    bucket: str | None
    work: int | None
    # From a request to its response and from a publish to its event, sorted.
    delays: list
    peak: int
    notes: list
    complaints: list


def highest_bucket(metrics):
    """Returns the highest bucket of the histogram that counts an iteration, in milliseconds."""
    counts = {float(found[1]): count for name, count in metrics.items() if (found := BUCKET.match(name))}
    if not counts:
        return None
    bounds = sorted(counts)
    reached = min(bound for bound in bounds if counts[bound] == counts[bounds[-1]])
    return f"≤ {reached * 1000:g}" if reached < bounds[-1] else f"> {bounds[-2] * 1000:g}"


def quantile(ordered, part):
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def begin(server, groups):
    """Connects all attackers. Returns them."""
    attackers, number = [], 0
    for count, attack in groups:
        attackers.append(Attackers(server.address, count, number, attack))
        number += count
    return attackers


def fire(server, calm, attackers):
    """Begins the attack. If all of it fits into the sockets, the server is stopped until it is
    there: the speed of the attackers does not matter then.
    """
    is_endless = any(each.attack.endless for each in attackers)
    if is_endless:
        for each in attackers:
            each.fire()
        return
    calm.pause()
    # The server ends its iteration first: it measures how long one takes.
    time.sleep(0.01)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for each in attackers:
            each.fire()
        calm.resume()
        # The next calm request arrives after the attack and before the server continues.
        time.sleep(0.002)
    finally:
        os.kill(server.pid, signal.SIGCONT)


class Idleness:
    """Whether a server has had nothing to do for some time."""

    def __init__(self, pid):
        self.pid, self.clock = pid, server_clock(pid)
        self.used, self.since = time.clock_gettime(self.clock), time.monotonic()

    def check(self):
        """Returns whether the server used nearly no processor time for a while, and is not waiting
        for a processor.
        """
        with open(f"/proc/{self.pid}/stat") as stat:
            is_waiting = stat.read().rsplit(")", 1)[1].split()[0] == "S"
        used, now = time.clock_gettime(self.clock), time.monotonic()
        # The calm clients use about a tenth of this.
        if used - self.used > 0.2 * QUIET or not is_waiting:
            self.used, self.since = used, now
        return now - self.since > QUIET


def last(row, server, attackers, short):
    """Waits until the attack is over."""
    is_endless = any(each.attack.endless for each in attackers)
    seconds = row.lasts or (SHORT_SECONDS if short else SECONDS)
    if not row.lasts and not is_endless:
        seconds = SHORT_PATIENCE if short else PATIENCE
    deadline, idleness = time.monotonic() + seconds, Idleness(server.pid)
    # An attack that lasts ends early only when its connections have something to wait for.
    can_end = not is_endless and (not row.lasts or row.checks)
    while time.monotonic() < deadline:
        is_idle = idleness.check()
        if can_end and all([each.poll() for each in attackers]) and (row.checks or is_idle):
            break
        time.sleep(0.05)


def prove(row, server, count):
    """Returns a complaint if the attack did not do what its row says."""
    name, each = row.proof
    reached = server.gauge(name)
    if reached < each * count:
        return f"the attack did not happen: {name} is {reached:,}, expected at least {each * count:,g}"
    return None


def notes(reports, delivery_wait):
    """Describes the attack, and how long a calm event was delayed, in words."""
    report = reports[0]
    words = [f"sent {report['sent'] / (1 << 20):,.1f} MiB, received {report['received'] / (1 << 20):,.1f} MiB"]
    if report["reopened"]:
        words.append(f"{report['reopened']:,} reconnects")
    if report.get("completed"):
        times = report["completed"]
        words.append(f"complete after {times[0]:.2f} s (first) to {times[-1]:.2f} s (last)")
    if report.get("slowest") is not None:
        words.append(f"when half were complete, the slowest had {report['slowest']:.0%}")
    # This may be several iterations: an event reaches one follower after the other.
    words.append(f"an event within {delivery_wait:,.0f} ms of processor time")
    return words


def attack(row, variant, count, server, short):
    """Runs the attack on a server that has just started."""
    groups = row.prepare(server, variant, count)
    calm = Calm(server, row.topic)
    attackers = begin(server, groups)
    total = count if row.settled != "connections" else sum(count for count, _ in groups)
    eventually(f"{row.settled} of {total}", lambda: server.gauge(row.settled) >= total, 30)
    fire(server, calm, attackers)
    last(row, server, attackers, short)
    delays, deliveries, waits, delivery_waits = calm.stop()
    reports = [{**each.stop(), "count": each.count} for each in attackers]
    server.check_running()
    metrics = server.metrics()
    complaints = [prove(row, server, count), *(check(reports) for check in row.checks)]
    return Measured(
        max(waits), highest_bucket(metrics), metrics.get("barewire_iteration_work_max"), sorted(delays + deliveries),
        server.peak(), notes(reports, max(delivery_waits)), [complaint for complaint in complaints if complaint],
    )


def measure(row, variant, count, short):
    """Runs a row once, with its own server."""
    server = Server(*variant.options, *row.options)
    try:
        return attack(row, variant, count, server, short)
    except (OSError, EOFError) as error:
        server.check_running()
        raise Fault(f"{error}") from None
    finally:
        server.kill()
