"""Which port a probe or hook means, and connection errors in upstream's words."""

import errno
import os

from wherry.objects import Obj


def container_port(port: int | str, container: Obj) -> int:
    """By number, or by the name that the container gives it. ValueError if it names none."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for one in container.get("ports") or ():
        if one.get("name") == port:
            return int(one["containerPort"])
    raise ValueError(f"couldn't find port: {port} in container {container['name']}")


def dial_error(host: str, port: int, error: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    number = error.errno
    if number in (errno.ECONNRESET, errno.EPIPE):
        return f"read tcp {where}: connection reset by peer"
    words = os.strerror(number).lower() if number else str(error)
    return f"dial tcp {where}: connect: {words}"
