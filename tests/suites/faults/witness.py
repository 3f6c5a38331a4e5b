"""Starts those who behave well (beside.py) for a case, and judges what they saw."""

import json
import os
import select
import subprocess
import sys
import time

from outcome import Fault
from server import RUNNING, tied

PROGRAM = os.path.join(os.path.dirname(__file__), "beside.py")


class Witness:
    """A publisher and four followers beside a fault. `steady`: nothing may end for them, nor be told as a gap."""

    def __init__(self, server, steady=True, token=None):
        self.steady = steady
        command = [sys.executable, PROGRAM, server.address[0], str(server.address[1]), *([token] if token else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=tied, text=True
        )
        RUNNING.append(self.process)

    def phase(self, name):
        """Delays are counted for this part of the run from now on."""
        self.process.stdin.write(f"phase {name}\n")
        self.process.stdin.flush()

    def before(self, seconds):
        """Some time in peace, and then the fault begins."""
        if not select.select([self.process.stdout], [], [], 30)[0] or not self.process.stdout.readline():
            raise Fault("those who behave well did not begin")
        time.sleep(seconds)
        self.phase("during")

    def stop(self):
        """Ends them, and returns what they saw; or what is wrong with that, as a Fault."""
        try:
            out, _ = self.process.communicate("stop\n", 90)
        except subprocess.TimeoutExpired:
            raise Fault("those who behave well did not come to their end") from None
        RUNNING.remove(self.process)
        if not out:
            raise Fault("those who behave well have failed")
        saw = json.loads(out)
        wrong = []
        for transport, outcome in saw["followers"].items():
            for what in ("lost", "doubled", "disordered"):
                if outcome[what]:
                    wrong.append(f"{transport}: {outcome[what]} {what}, as {outcome['which']}")
            if self.steady and outcome["gaps"]:
                wrong.append(f"{transport}: {outcome['gaps']} gaps")
        if self.steady:
            wrong += [f"{saw[what]} {what}" for what in ("uncertain", "refused", "reconnects") if saw[what]]
        if not saw["accepted"]:
            wrong.append("nothing was published")
        if wrong:
            raise Fault("beside it: " + "; ".join(wrong))
        return saw
