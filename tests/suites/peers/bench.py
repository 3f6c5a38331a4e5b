"""Starts `barewire bench` for one run and reads its figures."""

import json
import subprocess
from dataclasses import dataclass

import cores
from servers import Failed, pinned

# Seconds in addition to the measured time, for connecting and closing.
PATIENCE = 120
# A short poll is compared with an echo: one read, one write.
ECHO = ("--in-flight", "1", "--size", "64")


@dataclass
class Figures:
    """The figures of one run: work per second of the server's CPU time, CPU time per connection in
    microseconds, or bytes of memory per follower.
    """

    value: float
    raw: dict


class Bench:
    def __init__(self, program, duration, warm_up):
        self.program = program
        self.seconds = duration + warm_up
        self.common = ["--runs", "1", "--duration", f"{duration:g}", "--warm-up", f"{warm_up:g}", "--json"]

    def ceiling(self, row):
        """Measures the bare program under the load that the servers get."""
        via = ["--via", row.via] if row.via else []
        echo = ECHO if row.ceiling != row.workload else []
        return self.run(row, ["ceiling", row.ceiling, *via, *row.options, *echo])

    def server(self, row, server, address, pids):
        cursor = server.newest(address) if row.workload == "requests" else "{cursor}"
        where = [word.replace("{address}", address).replace("{cursor}", cursor) for word in server.where(row)]
        via = ["--via", row.via] if row.via else []
        ids = [word for pid in pids for word in ("--server-pid", str(pid))]
        return self.run(row, [row.workload, *via, *row.options, *where, *ids])

    def run(self, row, arguments):
        command = [self.program, "bench", *arguments, *self.common]
        with subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pinned(cores.LOAD)
        ) as bench:
            # The bare program is a child of the load generator; a measured server is not.
            is_placed = arguments[0] != "ceiling" or cores.pin_child(cores.SERVER, bench.pid)
            try:
                out, error = bench.communicate(timeout=self.seconds + PATIENCE)
            except subprocess.TimeoutExpired:
                # The bare program ends when its standard input does.
                bench.kill()
                raise Failed(f"did not end within {self.seconds + PATIENCE:g} s") from None
        found = json.loads(out) if out else {"notes": []}
        if bench.returncode != 0:
            wrong = [note for note in found["notes"] if note.startswith("WRONG")]
            raise Failed(f"status {bench.returncode}: {'; '.join([*wrong, *error.splitlines()])}")
        if not is_placed:
            raise Failed("the bare program was not found and so could not be pinned to its core")
        name = "user_bytes_each" if row.unit == "bytes" else "per_server_cpu_second"
        value = found["runs"][0][name]
        if value is None:
            raise Failed(f"the load generator reports no {name}")
        return Figures(1e6 / value if row.unit == "µs" else value, found)
