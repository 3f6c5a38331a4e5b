"""Starts the control clients (control_clients.py) for a case, and judges what they report."""

import json
import os
import select
import subprocess
import sys
import time

from outcome import Fault
from server import RUNNING, kill_with_parent

PROGRAM = os.path.join(os.path.dirname(__file__), "control_clients.py")


class ControlGroup:
    """A publisher and four followers that run during a fault. `steady`: their connections must not
    end, nor report a gap.
    """

    def __init__(self, server, steady=True, token=None):
        self.steady = steady
        command = [sys.executable, PROGRAM, server.address[0], str(server.address[1]), *([token] if token else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=kill_with_parent, text=True
        )
        RUNNING.append(self.process)

    def phase(self, name):
        """Begins a phase of the run; from now on delays count for it."""
        self.process.stdin.write(f"phase {name}\n")
        self.process.stdin.flush()

    def before(self, seconds):
        """Runs undisturbed for some seconds; then the fault begins."""
        if not select.select([self.process.stdout], [], [], 30)[0] or not self.process.stdout.readline():
            raise Fault("the control clients did not start within 30 s")
        time.sleep(seconds)
        self.phase("during")

    def stop(self):
        """Stops the clients and returns their report. Raises a Fault if the report is not clean."""
        try:
            out, _ = self.process.communicate("stop\n", 90)
        except subprocess.TimeoutExpired:
            raise Fault("the control clients did not finish within 90 s") from None
        RUNNING.remove(self.process)
        if not out:
            raise Fault("the control clients failed")
        report = json.loads(out)
        wrong = []
        for transport, outcome in report["followers"].items():
            for what in ("lost", "duplicated", "disordered"):
                if outcome[what]:
                    wrong.append(f"{transport}: {outcome[what]} {what}, such as {outcome['which']}")
            if self.steady and outcome["gaps"]:
                wrong.append(f"{transport}: {outcome['gaps']} gaps")
        if self.steady:
            wrong += [f"{report[what]} {what}" for what in ("uncertain", "refused", "reconnects") if report[what]]
        if not report["accepted"]:
            wrong.append("nothing was published")
        if wrong:
            raise Fault("control clients: " + "; ".join(wrong))
        return report
