"""PyPI's `websockets` as an echo server, and as an echo client that asks a conformance suite for
its cases.

    websockets_echo.py server                 prints its address, echoes until it is killed
    websockets_echo.py client ws://HOST:PORT AGENT [--without-context]
"""

import asyncio
import contextlib
import sys

import websockets
from cases import run_cases
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

# The keepalive would add pings of its own to long cases.
OPTIONS = {"max_size": None, "ping_interval": None}


async def echo(socket):
    """Echoes until the connection has closed. The suite judges how it closes."""
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in socket:
            await socket.send(message)


async def serve():
    async with websockets.serve(echo, "127.0.0.1", 0, **OPTIONS) as server:
        print(f"listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


async def run_client(suite, agent, without_context):
    offer = ClientPerMessageDeflateFactory(client_max_window_bits=True, client_no_context_takeover=without_context)
    options = {**OPTIONS, "compression": None, "extensions": [offer]}

    async def read_text(url):
        async with websockets.connect(url, **options) as socket:
            with contextlib.suppress(websockets.ConnectionClosed):
                return await socket.recv()

    async def run_case(url):
        with contextlib.suppress(websockets.InvalidHandshake):
            async with websockets.connect(url, **options) as socket:
                await echo(socket)

    await run_cases(suite, agent, read_text, run_case)


match sys.argv[1:]:
    case ["server"]:
        asyncio.run(serve())
    case ["client", suite, agent, *rest]:
        asyncio.run(run_client(suite, agent, "--without-context" in rest))
