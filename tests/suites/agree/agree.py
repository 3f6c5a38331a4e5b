"""Runs `barewire bench` and independent load generators alternately against the same server. See
tests/suites/agree/run.
"""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 50
SIZE = 64
WITHIN = 0.10
# A single-threaded server that uses at least FULL of a core, under a client that uses at most FREE,
# is the bottleneck. Where the client is the bottleneck, the server sometimes idles and finds less
# to do at once, so both figures also depend on the client.
FULL, FREE = 0.9, 0.8

# Sends the same responses as barewire, in size and in shape, but slowly, so that the server is the
# bottleneck with either client.
SLOW_HTTP = """
const body = '{"events":[],"next":"HpfL5TaZ-0"}';
const server = require('http').createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', body.length);
    response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
"""

# Each user sends a message when the previous echo has arrived; tsung ends after the given duration.
TSUNG = """<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd">
<tsung loglevel="warning" version="1.0">
  <clients><client host="localhost" use_controller_vm="true" maxusers="1000"/></clients>
  <servers><server host="127.0.0.1" port="{port}" type="tcp"/></servers>
  <load duration="{seconds}" unit="second">
    <arrivalphase phase="1" duration="1" unit="second"><users maxnumber="{users}" arrivalrate="100" unit="second"/></arrivalphase>
  </load>
  <sessions><session name="echo" probability="100" type="ts_websocket">
    <request><websocket type="connect" path="/"></websocket></request>
    <for from="1" to="10000000" var="i">
      <request><websocket type="message" frame="text" ack="parse">{message}</websocket></request>
    </for>
  </session></sessions>
</tsung>
"""


@dataclass
class Round:
    """The measurements of one program in one round."""

    done: int
    seconds: float
    server_cpu: float
    client_cpu: float

    @property
    def per_second(self):
        return self.done / self.seconds

    @property
    def per_cpu_second(self):
        return self.done / self.server_cpu


class Server:
    """A server process. Its first line of output is its address; the rest of the output is kept."""

    def __init__(self, command):
        self.output = tempfile.NamedTemporaryFile("r")
        with open(self.output.name, "w") as out:
            self.process = subprocess.Popen(command, stdout=out)
        until = time.monotonic() + 60
        while "\n" not in self.output.read():
            self.output.seek(0)
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{command[0]} did not start to listen within 60 s")
            time.sleep(0.01)
        self.output.seek(0)
        self.address = self.output.readline().strip().removeprefix("listening on http://")

    def cpu(self):
        """Returns the CPU seconds of all threads, in user space and in the kernel: proc(5),
        schedstat.
        """
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.output.close()


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wrk(server, seconds):
    cpu, client = server.cpu(), children_cpu()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://{server.address}/topics/bench"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"wrk reported errors:\n{output}")
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    return Round(int(requests), float(took), server.cpu() - cpu, children_cpu() - client)


def tsung(server, seconds):
    """Runs tsung. Its own figures are sums over ten seconds, so the server counts instead: from
    when all users have joined until just before they leave.
    """
    server.output.seek(0, os.SEEK_END)
    client = children_cpu()
    port = server.address.rpartition(":")[2]
    with tempfile.TemporaryDirectory() as home:
        plan = Path(home) / "plan.xml"
        plan.write_text(TSUNG.format(port=port, seconds=seconds + 2, users=CONNECTIONS, message="." * SIZE))
        command = ["tsung", "-f", str(plan), "-l", f"{home}/log", "start"]
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=os.environ | {"HOME": home})
    counts = [tuple(map(float, line.split())) for line in server.output.read().splitlines()]
    grown = [at for at in range(1, len(counts)) if counts[at][1] > counts[at - 1][1]]
    if len(grown) < 12:
        raise SystemExit("tsung sent too few messages to measure")
    # During the first intervals users are still joining; during the last one some have left.
    (from_time, from_count, from_cpu), (to_time, to_count, to_cpu) = counts[grown[5]], counts[grown[-2]]
    seconds = to_time - from_time
    return Round(int(to_count - from_count), seconds, to_cpu - from_cpu, (children_cpu() - client) * seconds / (counts[-1][0] - counts[0][0]))


def bench(program, workload, server, seconds, url):
    command = [program, "bench", workload, "--url", url, "--server-pid", str(server.process.pid), "--json", "--runs", "1"]
    command += ["--connections", str(CONNECTIONS), "--duration", str(seconds), "--warm-up", "0.2"]
    run = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["runs"][0]
    return Round(run["done"], run["seconds"], run["server_cpu_seconds"], run["client_cpu_seconds"])


def compare(name, mine, other, of):
    """Compares the medians. The ratio is the median of the ratios per round, because two
    consecutive runs see much the same background load.
    """
    medians = [statistics.median(of(one) for one in rounds) for rounds in (mine, other)]
    ratios = sorted(of(one) / of(two) for one, two in zip(mine, other, strict=True))
    ratio = statistics.median(ratios)
    print(f"  {name:22} {medians[0]:>9,.0f}   {medians[1]:>9,.0f}   ratio {ratio:.3f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return abs(ratio - 1) <= WITHIN


def agree(title, mine, other):
    """Returns whether two programs agree, or None if their rounds cannot decide it."""
    print(f"\n{title}")
    of_wall = compare("per second", mine, other, lambda one: one.per_second)
    of_cpu = compare("per second of CPU time", mine, other, lambda one: one.per_cpu_second)
    compare("server CPU, % of wall", mine, other, lambda one: 100 * one.server_cpu / one.seconds)
    compare("client CPU, % of wall", mine, other, lambda one: 100 * one.client_cpu / one.seconds)
    is_limit = all(
        statistics.median(one.server_cpu / one.seconds for one in of) >= FULL
        and statistics.median(one.client_cpu / one.seconds for one in of) <= FREE
        for of in (mine, other)
    )
    if not is_limit:
        print("  The server is not the bottleneck with both clients, so this ratio is shown but does not count.")
        return None
    return of_cpu and of_wall


def requests(title, command, program, rounds, seconds):
    with Server(command) as server:
        url = f"http://{server.address}/topics/bench"
        wrk(server, 1)  # warm-up
        pairs = [(bench(program, "requests", server, seconds, url), wrk(server, seconds)) for _ in range(rounds)]
    return agree(f"requests to {title}: bench, wrk", *zip(*pairs, strict=True))


def echoes(program, rounds, seconds):
    with Server(["/usr/bin/python3", str(Path(__file__).with_name("slow_echo.py"))]) as server:
        url = f"ws://{server.address}/"
        pairs = [(bench(program, "echo", server, seconds, url), tsung(server, seconds)) for _ in range(rounds)]
    return agree("echo by Python's websockets, a slow server: bench, tsung", *zip(*pairs, strict=True))


def main(program, rounds=15, seconds=1):
    version = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split(" [")[0]
    load = os.getloadavg()[0]
    print(f"{rounds} rounds of {seconds} s, {CONNECTIONS} connections; {version}; load average before the run {load:.1f}")
    own = [program, "serve", "--listen", "127.0.0.1:0", "--quiet", "--no-wire"]
    requests("barewire", own, program, rounds, seconds)
    agreed = [
        requests("Node's http, a slow server", ["node", "-e", SLOW_HTTP], program, rounds, seconds),
        # tsung starts slowly, so its rounds are fewer and longer.
        echoes(program, max(1, rounds // 3), 5 * seconds),
    ]
    if None in agreed:
        raise SystemExit("\nThe machine is too busy to decide: a slow server was not the bottleneck.")
    if not all(agreed):
        raise SystemExit(f"\nThe load generators do not agree within {WITHIN:.0%}.")
    print(f"\nThe load generators agree within {WITHIN:.0%}.")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
