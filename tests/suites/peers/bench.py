"""`barewire bench`, one run at a time, and what it found."""

import json
import subprocess
from dataclasses import dataclass

import cores
from servers import Failed, tied

# Beyond the time that is measured: to connect, and to end.
PATIENCE = 120
# A short poll is held against an echo: one read, one write.
ECHO = ("--in-flight", "1", "--size", "64")


@dataclass
class Figures:
    """What one run came to: work for a second of the server's CPU time, or bytes of memory for each follower."""

    value: float
    raw: dict


class Bench:
    def __init__(self, program, duration, warm_up):
        self.program = program
        self.seconds = duration + warm_up
        self.common = ["--runs", "1", "--duration", f"{duration:g}", "--warm-up", f"{warm_up:g}", "--json"]

    def ceiling(self, row):
        """The bare program, under the load that the servers have."""
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
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=tied(cores.LOAD)
        ) as bench:
            # The bare program is the load generator's child; a server is none.
            is_placed = arguments[0] != "ceiling" or cores.keep_child_to(cores.SERVER, bench.pid)
            try:
                out, error = bench.communicate(timeout=self.seconds + PATIENCE)
            except subprocess.TimeoutExpired:
                # A child of its own ends with its standard input.
                bench.kill()
                raise Failed(f"no end after {self.seconds + PATIENCE:g} s") from None
        found = json.loads(out) if out else {"notes": []}
        if bench.returncode != 0:
            wrong = [note for note in found["notes"] if note.startswith("WRONG")]
            raise Failed(f"status {bench.returncode}: {'; '.join([*wrong, *error.splitlines()])}")
        if not is_placed:
            raise Failed("the bare program was not seen, and so not given its core")
        name = "per_server_cpu_second" if row.ceiling else "user_bytes_each"
        value = found["runs"][0][name]
        if value is None:
            raise Failed(f"{name} is not known")
        return Figures(value, found)
