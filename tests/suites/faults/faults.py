"""Runs the cases, prints a table row for each, and reports whether all passed. See
`tests/suites/faults/run`.
"""

import os
import platform
import re
import signal
import sys
import textwrap
import time
import traceback

import server
from cases import CASES
from outcome import Fault, Skipped

HEAD = ["case", "fault", "lost", "peak memory", "delay before, ms", "during, ms", "result"]
PAGE = os.path.join(os.path.dirname(__file__), "../../../docs/faults.md")
MARKS = ("<!-- tests/suites/faults/run --update -->\n", "<!-- end -->\n")
# No case needs this many seconds; one that takes longer hangs.
PATIENCE = 240


def line(cells):
    return "| " + " | ".join(cells) + " |"


def machine():
    """Describes the machine in words."""
    with open("/proc/meminfo") as info:
        memory = int(re.search(r"MemTotal:\s+(\d+)", info.read())[1]) / (1 << 20)
    with open("/proc/cpuinfo") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    model = re.sub(r"\s+", " ", model[1]) if model else platform.machine()
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, Linux {kernel}"


def update(rows):
    """Writes the table into the page."""
    with open(PAGE) as page:
        head, rest = page.read().split(MARKS[0])
        tail = rest.split(MARKS[1])[1]
    table = "\n".join([line(HEAD), line(["---"] * len(HEAD)), *map(line, rows)])
    where = textwrap.fill(f"Measured on {machine()}, shared with other work, on {time.strftime('%d %B %Y').lstrip('0')}.", 100)
    with open(PAGE, "w") as page:
        page.write(f"{head}{MARKS[0]}\n{where}\n\n{table}\n\n{MARKS[1]}{tail}")


def run(name, case, short):
    """Runs one case and then kills its servers and peers. Returns its row and whether it passed."""

    def late(*_):
        raise Fault(f"did not end within {PATIENCE} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        return case(short).row(name), True
    except Skipped as why:
        return [name, f"skipped: {why}", *[""] * (len(HEAD) - 2)], True
    except Fault as fault:
        return [name, f"FAILED: {fault}", *[""] * (len(HEAD) - 2)], False
    except Exception:
        traceback.print_exc()
        return [name, "FAILED: the case raised an exception", *[""] * (len(HEAD) - 2)], False
    finally:
        signal.alarm(0)
        server.end_all()


def main():
    flags = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    unknown = set(flags) - {"--short", "--update"} | set(names) - set(CASES)
    if unknown or (names and "--update" in flags):
        sys.exit(f"unknown: {', '.join(unknown) or '--update together with single cases'}; the cases are: {' '.join(CASES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    print(line(HEAD), line(["---"] * len(HEAD)), sep="\n", flush=True)
    rows, passed = [], True
    for name in names or CASES:
        row, ok = run(name, CASES[name], "--short" in flags)
        rows.append(row)
        passed &= ok
        print(line(row), flush=True)
    print(f"\n{len(rows)} cases in {time.monotonic() - began:.0f} s: {'nothing was lost' if passed else 'FAILED'}")
    if passed and "--update" in flags:
        update(rows)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
