"""The cases, in the order in which they run."""

from . import cable, clock, declared, descriptors, ending, floods, outputs, siege, stopped, storm, tabs, trickle

CASES = {
    "descriptors": descriptors.case,
    "stopped": stopped.case,
    "cable": cable.case,
    "tabs": tabs.case,
    "clock": clock.case,
    "storm": storm.at_once,
    "restart": storm.spread,
    "gigabyte": declared.gigabyte,
    "trickle": trickle.case,
    "bomb": declared.bomb,
    "flood": floods.case,
    "sigterm": ending.sigterm,
    "kill": ending.kill,
    "outputs": outputs.case,
    "siege": siege.case,
}
