"""front.py KIND PORT WORK: runs a front end of the server on PORT, without TLS, for another suite.

Prints its address. Each line of standard input is a kind to change to, with a reload; the line
`changed` follows. The front end, which must be nginx to change, ends with standard input.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

from clients import Address
from fronts import Front, wait_for


def wait_until_closing(workers):
    """Waits until none of these workers of nginx accepts connections: each shows that in its title."""

    def is_closing(worker):
        try:
            return b"shutting down" in Path(f"/proc/{worker}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_for(lambda: all(map(is_closing, workers)), 20, "the old workers close")


def main():
    kind, port, work = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    front = Front(kind, SimpleNamespace(port=port, address=Address(port)), work, None)
    try:
        front.start()
        print(f"http://127.0.0.1:{front.port}", flush=True)
        for line in sys.stdin:
            front.kind = line.strip()
            front.configure()
            wait_until_closing(front.reload())
            print("changed", flush=True)
    finally:
        front.stop()


main()
