"""The seventh tab: a browser opens at most six HTTP/1.1 connections per host, across all tabs."""

import json
import os
import shutil
import subprocess

from control import ControlGroup
from outcome import Fault, Outcome, Skipped
from server import Server, kill_with_parent

PROGRAM = os.path.join(os.path.dirname(__file__), "tabs.mjs")


def case(short):
    if not shutil.which("node"):
        raise Skipped("node is not installed")
    server = Server()
    control = ControlGroup(server)
    control.before(1 if short else 3)
    wait = 2000 if short else 5000
    browser = subprocess.run(
        ["timeout", "120", "node", PROGRAM, f"http://{server.address[0]}:{server.address[1]}", str(wait)],
        capture_output=True, text=True, preexec_fn=kill_with_parent,
    )
    if browser.returncode:
        raise Fault(f"the browser: {browser.stderr.strip().splitlines()[-3:]}")
    measured = json.loads(browser.stdout)
    control.phase("after")
    report = control.stop()
    return Outcome(
        "6 tabs with an event stream each in Chromium, and a seventh tab",
        f"the seventh's request waits ({measured['waited'] / 1000:.0f} s, until one closes; then {measured['after_close']} ms); its WebSocket opens meanwhile "
        f"({measured['socket']} ms); next to seven tabs with WebSockets a request takes {measured['with_sockets']} ms, next to one stream "
        f"that seven tabs share {measured['with_shared_stream']} ms",
        server.peak(), report,
    )
