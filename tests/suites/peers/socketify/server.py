"""A server on PyPI's socketify, which binds uWebSockets: echo, and a topic to follow over WebSockets.

    server.py PORT

Followers are subscribers of uWebSockets' own publish and subscribe, so a fan-out runs no Python per
follower. An echo runs one Python function per message.
"""

import socket
import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode

# Messages that a follower may lag behind, in bytes. socketify skips messages beyond it.
BACKPRESSURE = 16 << 20

app = App()


def echo(ws, message, opcode):
    ws.send(message, opcode)


async def publish(res, req):
    data = await res.get_data()
    app.publish("bench", data.getvalue(), OpCode.TEXT)
    res.write_status(201).end("")


def port_to_use(wanted):
    """socketify does not report the port that port 0 became."""
    if wanted:
        return wanted
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


common = {"compression": CompressOptions.DISABLED, "max_backpressure": BACKPRESSURE, "idle_timeout": 120}
app.ws("/echo", {**common, "message": echo})
app.ws("/topics/bench", {**common, "open": lambda ws: ws.subscribe("bench")})
app.post("/topics/bench", publish)
app.listen(
    AppListenOptions(port=port_to_use(int(sys.argv[1])), host="127.0.0.1"),
    lambda config: print(f"listening on http://127.0.0.1:{config.port}", flush=True),
)
app.run()
