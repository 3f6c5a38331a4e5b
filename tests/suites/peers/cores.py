"""Pins the load to one core and the server to another.

If both share a core, data written by one is still in that core's cache when the other reads it, and
no other core has to be woken: an echo then costs half the CPU time. The scheduler places the two
together or apart as it likes, especially when the machine has other work. So this module decides
the placement.
"""

import os
import time

ALL = sorted(os.sched_getaffinity(0))
LOAD, SERVER = ALL[0], ALL[-1]


def pin(core, process=0):
    """Restricts a process, and the children that it starts from now on, to one core."""
    os.sched_setaffinity(process, {core})


def pin_child(core, parent):
    """Restricts the child that a process is about to start. Returns false if no child appeared
    within ten seconds.
    """
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as listed:
                children = listed.read().split()
        except FileNotFoundError:
            return False
        for child in children:
            pin(core, int(child))
            return True
        time.sleep(0.005)
    return False
