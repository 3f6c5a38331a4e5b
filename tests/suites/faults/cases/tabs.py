"""The seventh tab: a browser opens six connections to a host over HTTP/1.1, all tabs together."""

import json
import os
import shutil
import subprocess

from outcome import Fault, Outcome, Skipped
from server import Server, tied
from witness import Witness

PROGRAM = os.path.join(os.path.dirname(__file__), "tabs.mjs")


def case(short):
    if not shutil.which("node"):
        raise Skipped("there is no node")
    server = Server()
    witness = Witness(server)
    witness.before(1 if short else 3)
    wait = 2000 if short else 5000
    browser = subprocess.run(
        ["timeout", "120", "node", PROGRAM, f"http://{server.address[0]}:{server.address[1]}", str(wait)],
        capture_output=True, text=True, preexec_fn=tied,
    )
    if browser.returncode:
        raise Fault(f"the browser: {browser.stderr.strip().splitlines()[-3:]}")
    saw_tabs = json.loads(browser.stdout)
    witness.phase("after")
    saw = witness.stop()
    return Outcome(
        "6 tabs with an event stream each in Chromium, and a seventh",
        f"the seventh's request waits ({saw_tabs['waited'] / 1000:.0f} s, until one closes; then {saw_tabs['after_close']} ms); its WebSocket opens meanwhile "
        f"({saw_tabs['socket']} ms); beside seven tabs with WebSockets a request takes {saw_tabs['beside_sockets']} ms, and so it does beside one stream "
        f"that seven tabs share ({saw_tabs['beside_shared']} ms)",
        server.peak(), saw,
    )
