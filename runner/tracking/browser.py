"""The process that opens an address in the browser as soon as its server answers."""

import socket
import sys
import time
import webbrowser

_MOST_SECONDS = 60.0
_WAIT_SECONDS = 0.3


def open_when_up(url: str, host: str, port: int) -> bool:
    """Opens `url` once something listens at `port` of `host`; returns whether it did."""
    give_up_at = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < give_up_at:
        try:
            with socket.create_connection((host, port), timeout=_WAIT_SECONDS):
                return webbrowser.open(url)
        except OSError:
            time.sleep(_WAIT_SECONDS)
    return False


if __name__ == "__main__":
    open_when_up(sys.argv[1], sys.argv[2], int(sys.argv[3]))
