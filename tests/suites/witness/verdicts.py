"""The committed verdicts: a text file with a line per case and a column per endpoint."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

sys.path.insert(0, str(HERE.parent / "conformance"))
from kosoku import order

NOT_RUN = "-"

COMMENTS = {
    "autobahn": """\
# The verdicts of the Autobahn TestSuite on servers and clients, written by
# `tests/suites/witness/run --update`. Of two words with a slash between them, the first is the verdict
# on the messages and the second that on the closing handshake. “-”: not run.
""",
    "conform": """\
# The verdicts of `barewire conform` on the same endpoints, for the cases that it has in common with
# the Autobahn TestSuite, written by `tests/suites/witness/run --update`. “-”: not run.
""",
}


def path(suite):
    return HERE / f"{suite}.txt"


def read(suite):
    """Returns {endpoint: {case: verdict}}."""
    table, columns = {}, []
    for line in path(suite).read_text().splitlines() if path(suite).exists() else []:
        words = line.split()
        if line.startswith("# case "):
            columns = words[2:]
        elif words and not line.startswith("#"):
            for endpoint, verdict in zip(columns, words[1:], strict=True):
                if verdict != NOT_RUN:
                    table.setdefault(endpoint, {})[words[0]] = verdict
    return table


def write(suite, table, endpoints):
    columns = [endpoint for endpoint in endpoints if endpoint in table]
    cases = sorted({case for found in table.values() for case in found}, key=order)
    widths = [max(len(word) for word in (column, *table[column].values())) + 2 for column in columns]

    def row(first, words):
        return (f"{first:<10}" + "".join(f"{word:<{width}}" for word, width in zip(words, widths))).rstrip()

    rows = [row(case, [table[column].get(case, NOT_RUN) for column in columns]) for case in cases]
    path(suite).write_text("\n".join([COMMENTS[suite], row("# case", columns), *rows]) + "\n")


def merge(suite, found, endpoints):
    """Replaces the verdicts of the cases that were run."""
    table = read(suite)
    for endpoint, cases in found.items():
        table[endpoint] = {**table.get(endpoint, {}), **cases}
    write(suite, table, endpoints)
