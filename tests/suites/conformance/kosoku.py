"""PyPI's `kosoku`, which runs the cases of the Autobahn TestSuite: as a client against a server, or
as a server for a client. Used by tests/suites/conformance/run and tests/suites/witness/run.
"""

import contextlib
import fnmatch
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "kosoku==0.1.0"
AT_ONCE = 4  # concurrent cases against a server; the clients under test use the same number
MINUTES = 30  # limit for one side, so that a hanging run fails

# In these cases the suite's server accepts compression only from a client that offers to compress
# each message independently. In all other cases the client keeps its compression context.
WITHOUT_CONTEXT = [f"13.{group}.{number}" for group in (2, 5, 6) for number in range(1, 19)]

SECTIONS = {
    "1": "messages of every length form",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "reserved opcodes",
    "5": "fragments, control frames between them",
    "6": "UTF-8, right and wrong, cut anywhere",
    "7": "the closing handshake, its codes and reasons",
    "9": "large messages, many messages",
    "10": "large messages in fragments",
    "12": "compression of five kinds of data",
    "13": "compression, its parameters negotiated",
}


def fail(message):
    sys.exit(f"{sys.argv[0]}: {message}")


def run(*command, what, **options):
    """Runs a command to its end. Shows its output only if it fails."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        fail(f"{what} failed:\n{done.stdout}")


def install(work):
    """Installs the suite in its own virtual environment below this directory. Returns its command.
    """
    return install_from_pypi(work / SUITE.replace("==", "-"), [SUITE]) / "kosoku"


def install_from_pypi(environment, packages):
    """Installs packages in a virtual environment, and returns the directory of its commands. A
    directory with other packages is replaced.
    """
    done = environment / "packages"
    if not done.exists() or done.read_text().split() != packages:
        shutil.rmtree(environment, ignore_errors=True)
        run(sys.executable, "-m", "venv", environment, what="creating a virtual environment (is python3-venv installed?)")
        run(environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *packages, what=f"installing {' '.join(packages)}")
        done.write_text("\n".join(packages))
    return environment / "bin"


def first_line(process, pattern, source=None):
    """Waits for the line in which a process prints its address, by default on standard output."""
    for line in source or process.stdout:
        if match := re.search(pattern, line):
            return match[1]
    fail(f"{process.args[0]} ended with {process.wait()} before it listened")


def selection(include, exclude=()):
    """Returns the options that select these cases."""
    return [part for flag, patterns in (("-i", include), ("-x", exclude)) for pattern in patterns for part in (flag, pattern)]


def test_server(suite, url, reports, selected, minutes=MINUTES):
    """Runs the suite's client against a server and returns its results. The suite's own list of
    failures goes to a file next to the reports.
    """
    empty(reports)
    reports.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{reports}.txt").open("w") as log:
        finish([suite, "-m", "fuzzingclient", url, "-o", reports, "-p", str(AT_ONCE), *selected], minutes, log)
    return results(reports)


@contextlib.contextmanager
def serving(suite, reports, selected):
    """Runs the suite's server and yields its address. The reports are complete afterwards, if the
    client asked for them.
    """
    empty(reports)
    command = [str(suite), "-m", "fuzzingserver", "127.0.0.1:0", "-o", str(reports), *selected]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            yield first_line(server, r"ws://(\S+)")
            server.communicate(timeout=60)  # the suite writes its report and exits
        finally:
            server.kill()


def empty(directory):
    shutil.rmtree(directory, ignore_errors=True)


def finish(command, minutes=MINUTES, errors=None):
    """Runs one end. The suite exits with 1 if a case fails; its report says which."""
    try:
        return subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=errors, timeout=minutes * 60).returncode
    except subprocess.TimeoutExpired:
        fail(f"{command[0]} did not finish within {minutes} minutes")


def results(reports):
    """Returns {case: (verdict, name, why)} for the tested peer, or {} if the suite ran no case and
    wrote no report.
    """
    index = reports / "index.json"
    (cases,) = json.loads(index.read_text()).values() if index.exists() else [{}]
    found = {}
    for case, result in cases.items():
        report = json.loads((reports / result["reportfile"]).read_text())
        verdicts = [result["behavior"], result["behaviorClose"]]
        verdict = verdicts[0] if verdicts[0] == verdicts[1] else "/".join(verdicts)
        why = f"{report['result']} {report['resultClose']}"
        found[case] = (verdict.replace(" ", "-"), name(report["description"]), why)
    return found


def name(description):
    """Returns the first sentence or line of a case's description, without markup."""
    line = re.split(r"<br>|\n\n|(?<=\.)\s*\n", description.strip())[0]
    line = " ".join(html.unescape(re.sub(r"<[^>]*>", "", line)).split())
    return line if len(line) <= 110 else line[:110].rsplit(" ", 1)[0] + " …"


def order(case):
    """Returns the key that sorts cases by their numbers."""
    return [int(part) for part in case.split(".")]


def matches(case, patterns):
    return any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)
