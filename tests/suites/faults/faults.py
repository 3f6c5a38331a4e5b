"""Runs the cases, prints a row of a table for each, and says whether all is well. See `tests/suites/faults/run`."""

import os
import platform
import re
import signal
import sys
import time
import traceback

import server
from cases import CASES
from outcome import Fault, Skipped

HEAD = ["case", "what was tried", "lost", "peak memory", "delay before, ms", "during, ms", "what came out"]
PAGE = os.path.join(os.path.dirname(__file__), "../../../docs/faults.md")
MARKS = ("<!-- tests/suites/faults/run --update -->\n", "<!-- end -->\n")
# Nothing here is expected to need so long; a case that does hangs.
PATIENCE = 240


def line(cells):
    return "| " + " | ".join(cells) + " |"


def machine():
    """The machine in words."""
    with open("/proc/meminfo") as info:
        memory = int(re.search(r"MemTotal:\s+(\d+)", info.read())[1]) / (1 << 20)
    with open("/proc/cpuinfo") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    model = re.sub(r"\s+", " ", model[1]) if model else platform.machine()
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, Linux {kernel}"


def update(rows):
    """Puts the table into the page."""
    with open(PAGE) as page:
        head, rest = page.read().split(MARKS[0])
        tail = rest.split(MARKS[1])[1]
    table = "\n".join([line(HEAD), line(["---"] * len(HEAD)), *map(line, rows)])
    told = f"On {machine()}, shared with other work; {time.strftime('%d %B %Y').lstrip('0')}.\n"
    with open(PAGE, "w") as page:
        page.write(f"{head}{MARKS[0]}\n{told}\n{table}\n\n{MARKS[1]}{tail}")


def run(name, case, short):
    """One case, whose servers and peers end with it. Returns its row and whether it is well."""

    def late(*_):
        raise Fault(f"not over after {PATIENCE} s")

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
        return [name, "FAILED: the case itself", *[""] * (len(HEAD) - 2)], False
    finally:
        signal.alarm(0)
        server.end_all()


def main():
    flags = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    unknown = set(flags) - {"--short", "--update"} | set(names) - set(CASES)
    if unknown or (names and "--update" in flags):
        sys.exit(f"what is {', '.join(unknown) or '--update for some cases'}? cases: {' '.join(CASES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    print(line(HEAD), line(["---"] * len(HEAD)), sep="\n", flush=True)
    rows, well = [], True
    for name in names or CASES:
        row, right = run(name, CASES[name], "--short" in flags)
        rows.append(row)
        well &= right
        print(line(row), flush=True)
    print(f"\n{len(rows)} cases in {time.monotonic() - began:.0f} s: {'nothing was lost' if well else 'FAILED'}")
    if well and "--update" in flags:
        update(rows)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
