"""The client under test: the package that is named first, httpx-sse or sseclient-py. It prints each
event as a line of JSON. Both leave it to their caller to connect again, and this caller does not.

  barewire conform client --suite sse --run 'python3 events.py httpx-sse {url}'
"""

import json
import sys


def show(identifier, event, data):
    print(json.dumps({"id": identifier, "event": event, "data": data}), flush=True)


def httpx_sse(url):
    import httpx
    import httpx_sse

    with httpx.Client(timeout=None) as client, httpx_sse.connect_sse(client, "GET", url) as source:
        for event in source.iter_sse():
            show(event.id, event.event, event.data)


def sseclient_py(url):
    import requests
    import sseclient

    response = requests.get(url, headers={"Accept": "text/event-stream"}, stream=True)
    for event in sseclient.SSEClient(response).events():
        # The package reports the ID of the block, not the last event ID.
        show(event.id or None, event.event, event.data)


{"httpx-sse": httpx_sse, "sseclient-py": sseclient_py}[sys.argv[1]](sys.argv[2])
