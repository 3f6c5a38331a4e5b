"""The servers that tests/suites/conform/run tests: how each is installed and started."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "conform"
PROGRAM = TARGET / "release" / "barewire"
CLIENT = TARGET / "release" / "examples" / "conformance-client"
AXUM = TARGET / "peers" / "debug" / "peer-axum"

sys.path.insert(0, str(HERE.parent / "witness"))
sys.path.insert(0, str(HERE.parent / "conformance"))
import endpoints
from kosoku import fail, first_line, run


def install_from_debian(*packages):
    """Installs packages. At this runlevel, nginx does not start a server of its own."""
    run("apt-get", "update", "-qq", what="apt-get update (as root)")
    environment = {**os.environ, "RUNLEVEL": "1"}
    run("apt-get", "install", "-y", "-qq", *packages, what=f"installing {' '.join(packages)} (as root)", env=environment)


def install_barewire():
    endpoints.install_barewire()


def install_nginx():
    if not nginx():
        install_from_debian("nginx")


def install_nchan():
    if not modules():
        install_from_debian("nginx", "libnginx-mod-nchan")
    if not modules():
        fail("Debian's libnginx-mod-nchan has no module for nginx")


def install_node():
    if not shutil.which("node"):
        install_from_debian("nodejs")


def install_axum():
    manifest = HERE.parent / "peers" / "Cargo.toml"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET / "peers")}
    run("cargo", "build", "--locked", "-p", "peer-axum", "--manifest-path", manifest, what="building axum", env=environment)


def nginx():
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def modules():
    """Returns the directory of nchan's module for nginx, or None."""
    listed = subprocess.run(["dpkg", "-L", "libnginx-mod-nchan"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = re.search(r"^(/.*)/ngx_nchan_module\.so$", listed.stdout, re.M)
    return found and found[1]


def install(names):
    """Installs the servers, and barewire, which tests them."""
    for function in dict.fromkeys([install_barewire, *(SERVERS[name][0] for name in names)]):
        function()
    WORK.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def process(name, command):
    """Starts a server that prints its URL, and yields the URL. Fails if it ends by itself."""
    log = WORK / f"{name}.log"
    with log.open("w") as errors, subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True) as server:
        try:
            address = first_line(server, r"(?:http|ws)://([\d.]+:\d+)")
            yield f"http://{address}"
            if server.poll() is not None:
                fail(f"{name} ended with {server.returncode} during the cases; see {log}")
        finally:
            server.kill()


@contextlib.contextmanager
def nginx_process(name, configuration, **values):
    """Starts nginx with a configuration of this directory, and yields its URL."""
    work = WORK / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    file = work / "nginx.conf"
    # The workers run as the user of the master, because they may not enter the directory otherwise.
    user = "user root;\n" if os.geteuid() == 0 else ""
    text = (HERE / "servers" / configuration).read_text()
    file.write_text(user + text.format(work=work, address=f"127.0.0.1:{port}", **values))
    log = work / "error.log"
    with subprocess.Popen([nginx(), "-p", str(work), "-c", str(file), "-e", str(log)]) as server:
        try:
            await_port(name, server, port, log)
            yield f"http://127.0.0.1:{port}"
            if server.poll() is not None:
                fail(f"{name} ended with {server.returncode} during the cases; see {log}")
        finally:
            server.terminate()  # SIGKILL would leave the worker running
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def await_port(name, server, port, log):
    for _ in range(600):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    fail(f"{name} did not start: {log.read_text() if log.exists() else 'no error log'}")


def barewire():
    return process("barewire", [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--quiet", "--no-wire"])


@contextlib.contextmanager
def barewire_nginx():
    with barewire() as url, nginx_process("barewire-nginx", "proxy.conf", upstream=url) as front:
        yield front


def nchan():
    return nginx_process("nchan", "nchan.conf", modules=modules())


def node_sse():
    return process("node-sse", ["node", HERE / "servers" / "node-sse.js"])


def axum():
    return process("axum", [AXUM, 0])


def witness(name):
    """Returns how a server of tests/suites/witness is installed and started."""
    *_, installs, command = endpoints.parts(f"server/{name}")
    return installs, lambda: process(name, command)


# The function that installs each server, and the one that starts it and yields its URL.
SERVERS = {
    "barewire": (install_barewire, barewire),
    "barewire-nginx": (install_nginx, barewire_nginx),
    "nchan": (install_nchan, nchan),
    "node-sse": (install_node, node_sse),
    "axum": (install_axum, axum),
    "ws": witness("ws"),
    "websockets": witness("websockets"),
}


def running(name):
    return SERVERS[name][1]()


def adapter_of(name):
    return name.removesuffix("-nginx")


def output_of(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip().rpartition("\n")[2]


def version(name):
    """Returns the version of a server, for the first line of its file."""
    match name:
        case "barewire":
            return "the version of this commit"
        case "barewire-nginx":
            return f"the version of this commit, behind {output_of(nginx(), '-v').rpartition(' ')[2]}"
        case "nchan":
            package = output_of("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
            return f"Debian's {package} on {output_of(nginx(), '-v').rpartition(' ')[2]}"
        case "node-sse":
            return f"Node {output_of('node', '--version')}"
        case "axum":
            lock = (HERE.parent / "peers" / "Cargo.lock").read_text()
            return re.search(r'name = "axum"\nversion = "([^"]+)"', lock)[1]
        case "ws":
            package = (HERE.parent / "witness" / "package.json").read_text()
            found = re.search(r'"ws": "([^"]+)"', package)
            return f"{found[1]} on Node {output_of('node', '--version')}"
        case "websockets":
            return next(package for package in endpoints.PYPI if package.startswith("websockets"))
