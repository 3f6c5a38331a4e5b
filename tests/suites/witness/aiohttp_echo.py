"""PyPI's `aiohttp` as an echo server, and as an echo client that asks a conformance suite for its
cases.

    aiohttp_echo.py server                 prints its address, echoes until it is killed
    aiohttp_echo.py client ws://HOST:PORT AGENT
"""

import asyncio
import contextlib
import sys

import aiohttp
from aiohttp import web
from cases import run_cases


async def echo(socket):
    """Echoes until the connection has closed. The suite judges how it closes."""
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)


async def respond(request):
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await echo(socket)
    return socket


async def serve():
    application = web.Application()
    application.router.add_get("/echo", respond)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"listening on ws://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def run_client(suite, agent):
    async with aiohttp.ClientSession() as session:

        def connect(url):
            return session.ws_connect(url, max_msg_size=0, compress=15)

        async def read_text(url):
            async with connect(url) as socket:
                message = await socket.receive()
                return message.data if message.type is aiohttp.WSMsgType.TEXT else None

        async def run_case(url):
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with connect(url) as socket:
                    await echo(socket)

        await run_cases(suite, agent, read_text, run_case)


match sys.argv[1:]:
    case ["server"]:
        asyncio.run(serve())
    case ["client", suite, agent]:
        asyncio.run(run_client(suite, agent))
