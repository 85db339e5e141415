"""`/healthz`, `/livez`, `/readyz`: plain text, for probes and people."""

from aiohttp import web

PATHS = frozenset(("/healthz", "/livez", "/readyz"))
CHECKS = ("", "ping", "log", "etcd")  # single ones: the process answers, and so does its store


def answer(path: str, ready: bool, verbose: bool = False) -> web.Response | None:
    """None where the path is none of health. `verbose` names each check, for who looks for the one that fails."""
    base, _, check = path.strip("/").partition("/")
    base = f"/{base}"
    if base not in PATHS or check not in CHECKS:
        return None
    if base == "/readyz" and not ready:
        return web.Response(status=500, text="[-]startup failed: the controllers have not seen the state yet\n")
    if verbose and not check:
        said = "".join(f"[+]{name} ok\n" for name in CHECKS if name)
        return web.Response(text=f"{said}{base[1:]} check passed\n")
    return web.Response(text="ok")
