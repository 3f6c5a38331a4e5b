"""A deliberately slow WebSocket echo server, so that the server is the bottleneck with any client.
Four times per second it prints the time, the number of messages echoed so far and its CPU time.
"""

import asyncio
import hashlib
import time

try:
    from websockets.asyncio.server import serve
except ImportError:
    from websockets.server import serve

WORK = b"." * 200_000
count = 0


async def echo(websocket):
    global count
    try:
        async for message in websocket:
            await websocket.send(message)
            hashlib.sha256(WORK).digest()
            count += 1
    except Exception:
        pass  # the client has disconnected


async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"listening on http://127.0.0.1:{port}", flush=True)
        while True:
            await asyncio.sleep(0.25)
            print(time.monotonic(), count, time.process_time(), flush=True)


asyncio.run(main())
