"""The benchmarks to run."""

from dataclasses import dataclass

# Events per burst of the WebSocket row, so that each burst causes a hundred deliveries per follower.
BURST = 100
# Events per burst of the other rows.
SMALL_BURST = 20


@dataclass(frozen=True)
class Benchmark:
    """A row of the table: one workload of `barewire bench` with its options. `ceiling` is the
    workload of the bare program that the row is compared with. A benchmark without one is measured
    in `unit`, of which less is better.
    """

    name: str
    title: str
    workload: str
    via: str | None
    ceiling: str | None
    options: tuple
    unit: str | None = None


def all_of(followers, burst_followers, idle_followers):
    """Returns the rows, in the table's order."""
    echo = ("--connections", "50", "--size", "64")
    idle = ("--connections", str(idle_followers))
    fan_out = ("--connections", str(followers), "--size", "120", "--burst", "1")
    burst = ("--connections", str(burst_followers), "--size", "120", "--burst", str(BURST))
    small_burst = ("--connections", str(burst_followers), "--size", "120", "--burst", str(SMALL_BURST))
    one = f"fan-out to {followers:,}, one event at a time"
    sequential, batch = (*small_burst, "--burst-as", "sequential"), (*small_burst, "--burst-as", "batch")
    bursts = f"bursts of {SMALL_BURST} events to {burst_followers:,}"
    return [
        Benchmark("echo-1", "echo, 1 in flight", "echo", None, "echo", (*echo, "--in-flight", "1")),
        Benchmark("echo-16", "echo, 16 in flight", "echo", None, "echo", (*echo, "--in-flight", "16")),
        Benchmark("websocket", f"{one}, WebSocket", "fan-out", "websocket", "fan-out", fan_out),
        Benchmark("sse", f"{one}, SSE", "fan-out", "sse", "fan-out", fan_out),
        Benchmark("long-poll", f"{one}, long poll", "fan-out", "long-poll", "fan-out", fan_out),
        Benchmark("burst", f"bursts of {BURST} events to {burst_followers:,}, WebSocket", "fan-out", "websocket", "fan-out", burst),
        Benchmark("burst-sse", f"{bursts}, SSE", "fan-out", "sse", "fan-out", small_burst),
        Benchmark("burst-long-poll", f"{bursts}, long poll", "fan-out", "long-poll", "fan-out", small_burst),
        Benchmark("sequential-sse", f"{bursts}, one by one, SSE", "fan-out", "sse", "fan-out", sequential),
        Benchmark("sequential-long-poll", f"{bursts}, one by one, long poll", "fan-out", "long-poll", "fan-out", sequential),
        Benchmark("batch-sse", f"{bursts}, in one request, SSE", "fan-out", "sse", "fan-out", batch),
        Benchmark("batch-long-poll", f"{bursts}, in one request, long poll", "fan-out", "long-poll", "fan-out", batch),
        Benchmark("requests", "short poll, nothing new", "requests", None, "echo", ("--connections", "50")),
        Benchmark("connect", "accepting a WebSocket", "connect", "websocket", None, (), "µs"),
        Benchmark("idle-websocket", f"each of {idle_followers:,} idle followers, WebSocket", "idle", "websocket", None, idle, "bytes"),
        Benchmark("idle-sse", f"each of {idle_followers:,} idle followers, SSE", "idle", "sse", None, idle, "bytes"),
        Benchmark("idle-long-poll", f"each of {idle_followers:,} idle followers, long poll", "idle", "long-poll", None, idle, "bytes"),
    ]
