"""measure.py TARGET [OPTION…]: see tests/suites/peers/run for the options."""

import argparse
import contextlib
import datetime
import json
import os
import re
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import benchmarks
import servers
from bench import Bench
from servers import ROOT, Failed
from table import Table

PAGE = ROOT / "docs" / "performance.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of the table -->)", re.S)


def main():
    target, arguments = Path(sys.argv[1]), parsed(sys.argv[2:])
    rows = benchmarks.all_of(arguments.followers, arguments.burst_followers, arguments.idle_followers)
    columns = servers.ALL
    rows, columns = chosen(arguments.only, rows, columns)
    programs = {
        "barewire": target / "peers" / "barewire",
        "target": target / "peers" / "release",
        "nginx": shutil.which("nginx"),
        "python": target / "peers" / "socketify" / "bin" / "python",
    }
    check_files(arguments)
    # Exiting this way ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    bench = Bench(target / "release" / "barewire", arguments.duration, arguments.warm_up)
    columns = [kind(programs) for kind in columns]
    command = shlex.join(["tests/suites/peers/run", *(word for word in sys.argv[2:] if word != "--update")])
    table = Table(rows, columns, arguments, command)
    began = time.monotonic()
    for number in range(1, arguments.rounds + 1):
        for row in rows:
            measure(bench, row, columns, table)
            log(f"round {number} of {arguments.rounds}, {time.monotonic() - began:.0f} s: {row.title}: {table.latest(row)}")

    date = datetime.datetime.now(datetime.timezone.utc).date()
    text = table.markdown(date)
    print(text)
    results = target / "peers" / "results.json"
    results.write_text(json.dumps(table.raw(), indent=1) + "\n")
    log(f"all figures of the load generator are in {results}; {time.monotonic() - began:.0f} s")
    problems = table.problems
    if arguments.update and not problems:
        page = PAGE.read_text()
        PAGE.write_text(TABLE.sub(lambda _: text, page))
    for problem in problems:
        print(f"WRONG: {problem}", file=sys.stderr)
    sys.exit(bool(problems))


def parsed(words):
    parser = argparse.ArgumentParser(prog="tests/suites/peers/run", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="small numbers and one round")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="only these servers and benchmarks")
    parser.add_argument("--rounds", type=int, help="number of rounds [5]")
    parser.add_argument("--duration", type=float, help="seconds of each measurement [3]")
    parser.add_argument("--warm-up", type=float, help="seconds under load before each measurement [1]")
    parser.add_argument("--followers", type=int, help="followers of the fan-out [2000]")
    parser.add_argument("--idle-followers", type=int, help="idle followers [10000]: many, because the server's fixed costs are included")
    parser.add_argument("--update", action="store_true", help="write the table into docs/performance.md")
    arguments = parser.parse_args(words)
    defaults = {"rounds": 1, "duration": 0.5, "warm_up": 0.2, "followers": 200, "idle_followers": 500} if arguments.quick else {}
    for name, value in ({"rounds": 5, "duration": 3, "warm_up": 1, "followers": 2000, "idle_followers": 10_000} | defaults).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be more than 0")
    arguments.burst_followers = 100 if arguments.quick else 1000
    if arguments.update and arguments.only:
        parser.error("--update needs all servers and benchmarks, so it cannot be combined with --only")
    return arguments


def chosen(names, rows, columns):
    """Returns the rows and columns that --only names. Naming no benchmark selects all of them, and
    so does naming no server.
    """
    known = [row.name for row in rows] + [kind.name for kind in columns]
    if unknown := set(names) - set(known):
        sys.exit(f"tests/suites/peers/run: {', '.join(sorted(unknown))}: unknown; choose from {', '.join(known)}")
    return (
        [row for row in rows if row.name in names] or rows,
        [kind for kind in columns if kind.name in names] or columns,
    )


def check_files(arguments):
    """Exits if the limit of open files is too low: each follower needs one, in the server and in
    the load generator.
    """
    files, needed = os.sysconf("SC_OPEN_MAX"), max(arguments.followers, arguments.burst_followers, arguments.idle_followers) + 300
    if files < needed:
        sys.exit(f"tests/suites/peers/run: the limit of open files is {files}, but this run needs {needed}: raise it with ulimit -Hn")


def measure(bench, row, columns, table):
    """Measures one round of a row: the bare program, each server with and without its variant's
    options, and the bare program again.
    """
    bare(bench, row, table)
    for server in columns:
        if row.name in server.cannot:
            continue
        for is_variant in (False, True)[: 1 + (row.name in server.variants)]:
            with recorded(table, row, server), server.running(server.variants[row.name] if is_variant else ()) as (address, pids):
                table.add(row, server, is_variant, bench.server(row, server, address, pids))
    bare(bench, row, table)


def bare(bench, row, table):
    if row.ceiling:
        with recorded(table, row, None):
            table.add(row, None, False, bench.ceiling(row))


@contextlib.contextmanager
def recorded(table, row, server):
    """Records a failure for the summary and prints it at once; the other measurements continue."""
    try:
        yield
    except Failed as failure:
        what = server.name if server else "the bare program"
        table.fail(row, server, f"{row.name}: {what}: {failure}")
        log(f"WRONG: {row.name}: {what}: {failure}")


def log(text):
    print(text, file=sys.stderr, flush=True)


main()
