"""Connects PyPI's `websockets` to the server's /echo.

    websockets_client.py URL
"""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

BIG = 16 << 20
OFFERS = {
    "nothing": None,
    "permessage-deflate": [ClientPerMessageDeflateFactory(client_max_window_bits=True)],
    "no takeover": [ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)],
    "9 bits": [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)],
}


async def exchange(url, name, extensions):
    messages = ["h\u00e9llo " * 2000, b"\7" * 70_000, "", "h\u00e9llo " * 2000, bytes(at % 251 for at in range(BIG))]
    options = {"compression": None, "extensions": extensions, "max_size": 2 * BIG}
    async with websockets.connect(url, **options) as socket:
        agreed = [extension.name for extension in socket.protocol.extensions]
        assert bool(agreed) == bool(extensions), f"{name}: the agreed extensions are {agreed}"
        for message in messages:
            await socket.send(message)
            received = await socket.recv()
            assert received == message, f"{name}: the echo of a message of {len(message)} differs"
        await asyncio.wait_for(await socket.ping(), 30)
        await socket.close(4321, "enough")
    assert socket.close_code == 4321, f"{name}: closed with {socket.close_code}"
    print(f"ok      websockets as a client, offering {name}: text, binary, empty, 16 MiB, ping, close 4321")


async def main():
    for name, extensions in OFFERS.items():
        await exchange(sys.argv[1], name, extensions)
    print(f"{len(OFFERS)} passed, 0 failed")


asyncio.run(main())
