"""The client's part of the conversation with a conformance suite: how many cases, each case, the
reports. It is the same for every WebSocket library in Python.
"""

import asyncio

AT_ONCE = 4  # cases that run concurrently


async def run_cases(suite, agent, read_text, echo):
    """Runs all cases. `read_text` returns the text that a URL sends, or None if the suite closes
    without one; `echo` echoes on a connection until it has closed.
    """
    count = int(await read_text(f"{suite}/getCaseCount"))
    cases = iter(range(1, count + 1))

    async def run():
        for case in cases:
            await echo(f"{suite}/runCase?case={case}&agent={agent}")

    await asyncio.gather(*(run() for _ in range(AT_ONCE)))
    # This request makes the suite write its report and close the connection.
    await read_text(f"{suite}/updateReports?agent={agent}")
