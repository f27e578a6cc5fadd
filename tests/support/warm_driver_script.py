"""Both ends of `warm_driver`.

With ADDRESS ORDER the client; with ADDRESS DRIVER PACKAGES the server. Packages are JSON, as the
driver gets them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def ask(address: str, order: str) -> int:
    """Have the server do an order in our place, and return the exit status."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(address)
        asked = json.dumps([os.getcwd(), order, dict(os.environ)])  # noqa: PTH109
        socket.send_fds(link, [b"-"], [0, 1, 2])
        link.sendall(asked.encode())
        link.shutdown(socket.SHUT_WR)
        answer = link.recv(1)
    if not answer:  # it was killed
        os.kill(os.getpid(), signal.SIGKILL)
    return answer[0]


def serve(address: str, driver: str, packages: dict[str, str]) -> None:
    """Do orders in forks, until standard input closes."""
    here = os.path.dirname(driver)  # noqa: PTH120
    sys.path[:] = [each for each in sys.path if each != os.path.dirname(__file__)]  # noqa: PTH120
    sys.path.append(os.path.dirname(here))  # noqa: PTH120
    main = import_module("driver.__main__")
    sys.path.pop()
    # What `main` does before it imports these, and does again in each fork.
    sys.meta_path.append(main.ClosedList({"driver": os.path.dirname(here), **packages}))  # noqa: PTH120
    import_module("driver.touch_points")
    import_module("driver.compile")
    sys.meta_path.pop()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print(flush=True)  # noqa: T201
        descriptors = [0, listener.fileno()]
        while 0 not in select.select(descriptors, [], [])[0]:
            link, _ = listener.accept()
            if not os.fork():
                listener.close()
                _do(link, main.main)
            link.close()


def _do(link: socket.socket, main: Callable[[str], int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    _, streams, _, _ = socket.recv_fds(link, 1, 3)
    asked = b""
    while part := link.recv(65536):
        asked += part
    folder, order, environment = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = 1
    try:
        code = main(order)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    link.send(bytes([code]))
    os._exit(code)


if __name__ == "__main__":
    _, place, given, *rest = sys.argv
    if not rest:
        sys.exit(ask(place, given))
    serve(place, given, json.loads(rest[0]))
