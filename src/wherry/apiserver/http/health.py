"""`/healthz`, `/livez`, `/readyz`: plain text, for probes and people."""

from aiohttp import web

PATHS = frozenset(("/healthz", "/livez", "/readyz"))


def answer(path: str, ready: bool) -> web.Response | None:
    """None where the path is none of health."""
    base = "/" + path.strip("/").split("/")[0]
    if base not in PATHS:
        return None
    if base == "/readyz" and not ready:
        return web.Response(status=500, text="[-]startup failed: the controllers have not seen the state yet\n")
    return web.Response(text="ok")
