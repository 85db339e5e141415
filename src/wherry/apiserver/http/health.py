"""`/healthz`, `/livez`, `/readyz`: plain text, for probes and people."""

from aiohttp import web

PATHS = frozenset(("/healthz", "/livez", "/readyz"))
CHECKS = frozenset(("", "ping", "log", "etcd"))  # single ones: the process answers, and so does its store


def answer(path: str, ready: bool) -> web.Response | None:
    """None where the path is none of health."""
    base, _, check = path.strip("/").partition("/")
    base = f"/{base}"
    if base not in PATHS or check not in CHECKS:
        return None
    if base == "/readyz" and not ready:
        return web.Response(status=500, text="[-]startup failed: the controllers have not seen the state yet\n")
    return web.Response(text="ok")
