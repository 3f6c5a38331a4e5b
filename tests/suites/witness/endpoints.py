"""The servers and clients that both suites judge: barewire, and independent implementations from the
registries of npm, PyPI and crates.io. All of them echo.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "witness"

sys.path.insert(0, str(HERE.parent / "conformance"))
from kosoku import fail, first_line, install_from_pypi, run

PYPI = ["aiohttp==3.14.5", "websockets==17.4"]
PYTHON = WORK / "python" / "bin" / "python"
BUN = HERE / "node_modules" / ".bin" / "bun"


def install_barewire():
    run("cargo", "build", "--release", "--bin", "barewire", "--example", "conformance-client", what="building barewire", cwd=ROOT)


def install_from_npm():
    if not shutil.which("node") or not shutil.which("npm"):
        run("apt-get", "update", "-qq", what="apt-get update (as root)")
        run("apt-get", "install", "-y", "-qq", "nodejs", "npm", what="installing nodejs and npm (as root)")
    # `npm ls` fails if a package is missing or has another version.
    if subprocess.run(["npm", "ls"], cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent", what="installing from npm", cwd=HERE)


def install_python():
    install_from_pypi(PYTHON.parents[1], PYPI)


def install_crates():
    """Builds the client in tungstenite/, and the echo servers that tests/suites/peers measures."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(WORK)}
    peers = ["-p", "peer-tokio-tungstenite", "-p", "peer-fastwebsockets"]
    for manifest, packages in ((HERE / "tungstenite", []), (HERE.parent / "peers", peers)):
        run("cargo", "build", "--locked", *packages, "--manifest-path", manifest / "Cargo.toml", what=f"building {manifest}", env=environment)


# Each server prints its address and echoes at /echo until it is killed.
SERVERS = {
    "barewire": (install_barewire, [TARGET / "release" / "barewire", "--listen", "127.0.0.1:0", "--quiet"]),
    "ws": (install_from_npm, ["node", HERE / "ws.js", "server"]),
    "websockets": (install_python, [PYTHON, HERE / "websockets_echo.py", "server"]),
    "tungstenite": (install_crates, [WORK / "debug" / "peer-tokio-tungstenite", 0]),
    "aiohttp": (install_python, [PYTHON, HERE / "aiohttp_echo.py", "server"]),
    "bun": (install_from_npm, [BUN, HERE / "bun.js"]),
    "fastwebsockets": (install_crates, [WORK / "debug" / "peer-fastwebsockets", 0]),
}

# Each client is started with the URL of a suite and its own name, asks for the number of cases,
# echoes in each case, and requests the reports. Those that can be told to offer
# client_no_context_takeover understand the option --without-context.
CLIENTS = {
    "barewire": (install_barewire, [TARGET / "release" / "examples" / "conformance-client"]),
    "ws": (install_from_npm, ["node", HERE / "ws.js", "client"]),
    "websockets": (install_python, [PYTHON, HERE / "websockets_echo.py", "client"]),
    "tungstenite": (install_crates, [WORK / "debug" / "witness-tungstenite"]),
    "aiohttp": (install_python, [PYTHON, HERE / "aiohttp_echo.py", "client"]),
    "bun": (install_from_npm, [BUN, HERE / "web.js"]),
    "undici": (install_from_npm, ["node", HERE / "web.js"]),
}
WITH_OPTION = ("barewire", "ws", "websockets")

SHORT = ["server/barewire", "server/ws", "server/websockets", "client/barewire", "client/ws", "client/websockets"]
ENDPOINTS = [f"server/{name}" for name in SERVERS] + [f"client/{name}" for name in CLIENTS]


def parts(endpoint):
    """Returns the side, the name, the function that installs this endpoint, and its command."""
    side, name = endpoint.split("/")
    install, command = (SERVERS if side == "server" else CLIENTS)[name]
    return side, name, install, [str(part) for part in command]


def install(endpoints):
    for function in dict.fromkeys(parts(endpoint)[2] for endpoint in endpoints):
        function()


def log_of(name):
    """Returns the file for what an endpoint prints."""
    log = WORK / "logs" / f"{name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


@contextlib.contextmanager
def running(endpoint):
    """Starts a server and yields the URL of its echo. Fails if it ends before it is killed."""
    *_, command = parts(endpoint)
    log = log_of(endpoint.replace("/", "-"))
    with log.open("w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as server:
        try:
            address = first_line(server, r"(?:http|ws)://(\S+)")
            yield f"ws://{address}/echo"
            if server.poll() is not None:
                fail(f"{endpoint} ended with {server.returncode} during the cases; see {log}")
        finally:
            server.kill()


def run_client(name, command, minutes):
    """Runs a client through the cases of a suite that waits for it."""
    log = log_of(name)
    with log.open("w") as output:
        try:
            done = subprocess.run(command, stdout=output, stderr=output, timeout=60 * minutes)
        except subprocess.TimeoutExpired:
            fail(f"{name} did not finish within {minutes} minutes; see {log}")
    if done.returncode != 0:
        fail(f"{name} ended with {done.returncode} before all cases had run; see {log}")
