"""Runs `barewire conform` against one server or client."""

import json
import subprocess

import endpoints
import kosoku
from endpoints import TARGET, WITH_OPTION
from kosoku import fail, first_line, matches

BAREWIRE = TARGET / "release" / "barewire"
MINUTES = 60  # limit for one endpoint
# The limit of a case is long enough for a machine that does other work as well.
OPTIONS = ["--full", "--quiet", "--format", "json", "-j", str(kosoku.AT_ONCE), "--timeout", "30"]

# The verdicts of Autobahn that mean the same. Autobahn has no separate word for a behavior that is
# allowed but not recommended: it calls some OK and some NON-STRICT.
SAME = {
    "pass": ["OK"],
    "allowed": ["OK", "NON-STRICT"],
    "fail": ["FAILED"],
    "informational": ["INFORMATIONAL"],
    "not-applicable": ["UNIMPLEMENTED"],
}


def judge(endpoint, include):
    """Returns {case: verdict}, with Autobahn's numbers."""
    side, name, _, command = endpoints.parts(endpoint)
    if side == "server":
        with endpoints.running(endpoint) as url:
            command = [BAREWIRE, "conform", "server", *OPTIONS, *selection(include), url]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60 * MINUTES)
        return results(endpoint, done.returncode, done.stdout)
    alone = [case for case in kosoku.WITHOUT_CONTEXT if name in WITH_OPTION and matches(case, include or ["*"])]
    found = judge_client(endpoint, selection(include, alone), command, name)
    if alone:
        found |= judge_client(endpoint, selection(alone), command, name, "--without-context")
    return found


def selection(include, exclude=()):
    """Returns the options that select these cases, as in kosoku.py."""
    only = [part for case in include or ["*"] for part in ("--only", f"autobahn/{case}")]
    return only + [part for case in exclude for part in ("--skip", f"autobahn/{case}")]


def judge_client(endpoint, selected, command, *arguments):
    conform = [BAREWIRE, "conform", "client", "--listen", "127.0.0.1:0", *OPTIONS, *selected]
    with subprocess.Popen(conform, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as suite:
        try:
            address = first_line(suite, r"ws://([^/\s]+)", suite.stderr)
            endpoints.run_client(f"conform-{endpoint.replace('/', '-')}", [*command, f"ws://{address}", *arguments], MINUTES)
            output, _ = suite.communicate(timeout=60)
        finally:
            suite.kill()
    return results(endpoint, suite.returncode, output)


def results(endpoint, status, output):
    """Reads the verdicts. The status is 1 if a case failed."""
    if status not in (0, 1):
        fail(f"barewire conform ended with {status} for {endpoint}")
    cases = [case for case in json.loads(output)["cases"] if "autobahn" in case]
    return {case["autobahn"]: case["verdict"].replace(" ", "-") for case in cases}
