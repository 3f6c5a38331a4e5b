"""check.py PROGRAM WORK [--update]: see tests/suites/proxy/run for the details."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from clients import TRANSPORTS, EventStream, LongPoll, WebSocket
from fronts import FRONTS, PAGE
from trials import ROWS, Trials

TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of the table -->)", re.S)

# The expected failures; everything else works. Two outcomes mean a race, and the table says so.
NOT_UPGRADED = "no: 200 for 101"  # nginx drops Upgrade, so the server answers the short poll that remains
NGINX = {
    **{(trial, WebSocket): NOT_UPGRADED for trial in ("at once", "silence", "mute", "reload", "slow", "end", "leaves")},
    "codes": NOT_UPGRADED,
    # The poll's wait and nginx's timeout are both 60 s.
    ("silence", LongPoll): ("yes", "no: 504"),
    ("mute", EventStream): "no: cut",
    ("leaves", LongPoll): "no: at its response",
    "old": "no",
    "origin": "no: 403",
    "kept": "no: one for each request",
    "token": "no: it is there",
    "requests": "no",
    "publishes": "no",
}
BREAKS = {
    # A client that half-closes may still want the response, and a client that closes, or nginx, is
    # indistinguishable from one.
    "none": {("leaves", LongPoll): "no: at its response", "old": "–", "requests": "no", "publishes": "no"},
    "nginx recommended": {("leaves", LongPoll): "no: at its response"},
    "nginx defaults": NGINX,
    "nginx ignoring": NGINX | {(trial, EventStream): "no: held back" for trial in ("at once", "silence", "reload", "slow")},
    "haproxy recommended": {},
    "haproxy packaged": {
        ("at once", EventStream): "no: each 0.2 s late",
        ("silence", LongPoll): "no: 504",
        ("mute", EventStream): "no: cut",
        ("mute", WebSocket): "no: cut",
        ("leaves", LongPoll): "no: at its response",
        ("leaves", EventStream): "no: at the next write",
        "old": "no",
        "token": "no: it is there",
        "requests": "no",
        "publishes": "no",
    },
}


def main():
    program, work = sys.argv[1], Path(sys.argv[2])
    unknown = set(sys.argv[3:]) - {"--update"}
    assert not unknown, f"unknown options: {unknown}"
    certificate = make_certificate(work)
    versions = [first_line_of("nginx", "-v").rpartition("/")[2], re.search(r"version (\S+)", first_line_of("haproxy", "-v"))[1]]
    print(f"nginx {versions[0]}, HAProxy {versions[1]}; the silences take a minute and a half", flush=True)

    trials = {kind: Trials(kind, program, work / kind.replace(" ", "-"), certificate) for kind in FRONTS}

    def cut_short(*_):
        for trial in trials.values():
            for process in list(trial.running):
                process.stop()
        os._exit(1)

    signal.signal(signal.SIGTERM, cut_short)
    signal.signal(signal.SIGINT, cut_short)
    threads = [threading.Thread(target=trial.run) for trial in trials.values()]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print_delays(trials)

    problems = [f"{kind}: {error}" for kind, trial in trials.items() for error in trial.errors]
    lines = ["| | " + " | ".join(FRONTS.values()) + " |", "| --- |" + " --- |" * len(FRONTS)]
    for row, title in ROWS.items():
        cells = []
        for kind, trial in trials.items():
            found, expected = trial.cells.get(row, "?"), BREAKS[kind].get(row, "yes")
            if isinstance(expected, tuple):
                if found in expected:
                    found = expected = "a race"
                else:
                    expected = " or ".join(expected)
            # A cell without a finding is due to an error that is reported above.
            if found != expected and not (found == "?" and trial.errors):
                problems.append(f"{kind}: {title}: {found}, expected {expected}")
            cells.append(found)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    table = "".join(f"{line}\n" for line in lines)
    print(table)
    print(f"{len(ROWS)} rows, {len(FRONTS)} columns, {time.monotonic() - start:.0f} s")

    page = PAGE.read_text()
    if not problems and TABLE.search(page)[0] != table:
        if "--update" in sys.argv:
            PAGE.write_text(TABLE.sub(lambda _: table, page))
        else:
            problems.append("docs/proxies.md has another table: run tests/suites/proxy/run --update to rewrite it")
    for problem in problems:
        print(f"WRONG: {problem}", file=sys.stderr)
    sys.exit(bool(problems))


def first_line_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return done.stdout.splitlines()[0]


def make_certificate(work):
    """Creates a certificate for example.org and its key, in one file, which both proxies accept."""
    parts = [work / "certificate", work / "key"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org", "-out", parts[0], "-keyout", parts[1]]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    both = work / "certificate-and-key"
    both.write_text("".join(part.read_text() for part in parts))
    return both


def print_delays(trials):
    print(f"\nms from a publish to its arrival: the median of 20 and the maximum\n{'':42}" + "".join(f"{kind.name:>16}" for kind in TRANSPORTS))
    for kind, trial in trials.items():
        cells = []
        for transport in TRANSPORTS:
            delays = trial.delays.get(transport)
            cells.append(f"{delays[0] * 1000:.1f} / {delays[1] * 1000:.1f}" if delays else "–")
        print(f"{FRONTS[kind]:42}" + "".join(f"{cell:>16}" for cell in cells))
    print()


main()
