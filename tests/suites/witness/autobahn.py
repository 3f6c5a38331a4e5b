"""Runs the Autobahn TestSuite, in PyPI's `kosoku`, against one server or client."""

from pathlib import Path

import endpoints
import kosoku
from endpoints import WITH_OPTION, WORK
from kosoku import matches, selection

MINUTES = 180  # limit for one endpoint


def install():
    return kosoku.install(WORK)


def judge(suite, endpoint, include):
    """Returns {case: verdict}."""
    side, name, _, command = endpoints.parts(endpoint)
    reports = WORK / "reports" / f"{side}-{name}"
    if side == "server":
        with endpoints.running(endpoint) as url:
            found = kosoku.test_server(suite, url, reports, selection(include), MINUTES)
    else:
        alone = [case for case in kosoku.WITHOUT_CONTEXT if name in WITH_OPTION and matches(case, include or ["*"])]
        found = judge_client(suite, reports, selection(include, alone), command, name)
        if alone:
            reports = Path(f"{reports}-without-context")
            found |= judge_client(suite, reports, selection(alone), command, name, "--without-context")
    return {case: verdict for case, (verdict, *_) in found.items()}


def judge_client(suite, reports, selected, command, *arguments):
    with kosoku.serving(suite, reports, selected) as address:
        endpoints.run_client(reports.name, [*command, f"ws://{address}", *arguments], MINUTES)
    return kosoku.results(reports)


def meaning(verdict):
    """Returns the verdict on a case from those on its messages and on its closing handshake. ERROR
    means that the suite itself failed.
    """
    words = set(verdict.split("/"))
    if words <= {"OK"}:
        return "OK"
    if "ERROR" in words:
        return "ERROR"
    if "UNIMPLEMENTED" in words:
        return "UNIMPLEMENTED"
    if words <= {"OK", "NON-STRICT"}:
        return "NON-STRICT"
    return "INFORMATIONAL" if words <= {"INFORMATIONAL"} else "FAILED"
