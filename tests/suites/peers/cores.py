"""The load on one core, the server on another.

Where both share a core, what one has written is still in that core's cache when the other reads it, and nobody has to be woken elsewhere: an echo
then costs half the CPU time. The scheduler puts them together or apart as it likes, most of all when the machine has other work. So it
is not left to it.
"""

import os
import time

ALL = sorted(os.sched_getaffinity(0))
LOAD, SERVER = ALL[0], ALL[-1]


def keep_to(core, process=0):
    """Lets a process, and those that it starts from now on, run on this core only."""
    os.sched_setaffinity(process, {core})


def keep_child_to(core, parent):
    """The same for the child that a process is about to start. Whether there was one within some seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as listed:
                children = listed.read().split()
        except FileNotFoundError:
            return False
        for child in children:
            keep_to(core, int(child))
            return True
        time.sleep(0.005)
    return False
