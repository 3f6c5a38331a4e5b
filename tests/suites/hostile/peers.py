"""Starts the two servers, each on its own port."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

# The cases compare how requests are read, so nginx is a proxy here: it reads and checks a request
# with its whole body before it forwards it (`proxy_request_buffering`). A location with only
# `return` would respond before it has looked at the body. The upstream is nginx too and accepts
# everything, because nginx frames forwarded requests again. The limits are barewire's defaults,
# where nginx has them. `lingering_close always` prevents a reset from overtaking a response;
# barewire lingers as well.
CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
error_log {directory}/error.log;
pid {directory}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_header_buffer_size 8k;
    large_client_header_buffers 2 8k;
    client_max_body_size 64k;
    client_body_buffer_size 64k;
    lingering_close always;
    lingering_time 2s;
    lingering_timeout 1s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://unix:{directory}/upstream.sock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen unix:{directory}/upstream.sock;
        client_header_buffer_size 64k;
        large_client_header_buffers 4 64k;
        location / {{ return 200 "taken"; }}
        location = /metrics {{ return 200 "# HELP "; }}
    }}
}}
"""


@contextlib.contextmanager
def barewire(root):
    """Starts barewire and yields its address."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    subprocess.run(["cargo", "build", "--quiet"], cwd=root, check=True)
    # The cases test how `Host` is read, not which hosts are served.
    command = [target / "debug" / "barewire", "--listen", "127.0.0.1:0", "--quiet", "--allow-host", "*"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address, port = re.search(r"http://(.*):(\d+)$", process.stdout.readline().strip()).groups()
            yield address, int(port)
        finally:
            process.kill()


@contextlib.contextmanager
def nginx(directory):
    """Starts nginx and yields its address and version."""
    command = find()
    version = re.search(r"nginx/([0-9.]+)", subprocess.run([command, "-v"], capture_output=True, text=True).stderr)[1]
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(directory=directory, port=port))
    with subprocess.Popen([command, "-p", directory, "-e", directory / "error.log", "-c", configuration]) as process:
        try:
            await_port(process, port, directory / "error.log")
            yield ("127.0.0.1", port), version
        finally:
            process.kill()


def find():
    path = os.environ["PATH"] + ":/usr/sbin"
    if not shutil.which("nginx", path=path):
        # At this runlevel the package does not start its own server.
        environment = os.environ | {"RUNLEVEL": "1"}
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "nginx"], check=True, env=environment, stdout=subprocess.DEVNULL)
    command = shutil.which("nginx", path=path)
    if not command:
        sys.exit("tests/suites/hostile/run: cannot install nginx; install it by hand and run this again")
    return command


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def await_port(process, port, log):
    for _ in range(300):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit(f"tests/suites/hostile/run: nginx did not start within 30 s: {log.read_text() if log.exists() else ''}")
