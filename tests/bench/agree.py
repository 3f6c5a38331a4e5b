"""`barewire bench requests` and `wrk`, in turn, at one server: see tests/bench/agree."""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 50
WITHIN = 0.10
# A server that uses so many times the CPU time of its client is the limit.
LIMIT = 2.0

# Answers as barewire does, in size and in shape, but slowly: so it is the limit, whichever client there is.
SLOW = """
const body = '{"events":[],"next":"HpfL5TaZ-0"}';
const server = require('http').createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', body.length);
    response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
"""


@dataclass
class Round:
    """What one program found in one round."""

    requests: int
    seconds: float
    server_cpu: float
    client_cpu: float

    @property
    def per_second(self):
        return self.requests / self.seconds

    @property
    def per_cpu_second(self):
        return self.requests / self.server_cpu


def cpu_seconds(pid):
    """All threads, in user space and in the kernel: proc(5), schedstat."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wrk(url, pid, seconds):
    server, client = cpu_seconds(pid), children_cpu()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    server, client = cpu_seconds(pid) - server, children_cpu() - client
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk met errors:\n{said}")
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
    return Round(int(requests), float(took), server, client)


def bench(program, url, pid, seconds):
    command = [program, "bench", "requests", "--url", url, "--server-pid", str(pid), "--json", "--runs", "1"]
    command += ["--connections", str(CONNECTIONS), "--duration", str(seconds), "--warm-up", "0.2"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    run = json.loads(said)["runs"][0]
    return Round(run["done"], run["seconds"], run["server_cpu_seconds"], run["client_cpu_seconds"])


def compare(name, mine, other, of):
    """The median over all rounds of the ratio in each: what else the machine does meanwhile is much the same for two that follow each other."""
    medians = [statistics.median(of(one) for one in rounds) for rounds in (mine, other)]
    ratios = sorted(of(one) / of(two) for one, two in zip(mine, other, strict=True))
    ratio = statistics.median(ratios)
    print(f"{name:26} bench {medians[0]:>9,.0f}   wrk {medians[1]:>9,.0f}   ratio {ratio:.3f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return abs(ratio - 1) <= WITHIN


def at(name, command, program, rounds, seconds):
    """Both at one server, in turn; whether they agree."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().removeprefix("listening on ").strip() + "/topics/bench"
        wrk(url, server.pid, 1)  # to warm it up
        mine, other = [], []
        for _ in range(rounds):
            mine.append(bench(program, url, server.pid, seconds))
            other.append(wrk(url, server.pid, seconds))
    finally:
        server.kill()
        server.wait()
    print(f"\n{name}")
    of_wall = compare("requests/s", mine, other, lambda one: one.per_second)
    of_cpu = compare("requests/s of server CPU", mine, other, lambda one: one.per_cpu_second)
    compare("server CPU, % of wall", mine, other, lambda one: 100 * one.server_cpu / one.seconds)
    compare("client CPU, % of wall", mine, other, lambda one: 100 * one.client_cpu / one.seconds)
    is_limit = min(statistics.median(one.server_cpu / one.client_cpu for one in of) for of in (mine, other)) >= LIMIT
    if not is_limit:
        print("The server is not clearly the limit: requests in a second are shown, and do not decide.")
    return of_cpu and (of_wall or not is_limit)


def main(program, rounds=15, seconds=1):
    version = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split(" [")[0]
    load = os.getloadavg()[0]
    print(f"{rounds} rounds of {seconds} s each, {CONNECTIONS} connections; {version}; load of the machine before it {load:.1f}")
    own = [program, "serve", "--listen", "127.0.0.1:0", "--quiet", "--no-wire"]
    agreed = [
        at("barewire", own, program, rounds, seconds),
        at("Node's http, a slow server", ["node", "-e", SLOW], program, rounds, seconds),
    ]
    if not all(agreed):
        raise SystemExit(f"they do not agree within {WITHIN:.0%}")
    print(f"\nThey agree within {WITHIN:.0%}.")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
