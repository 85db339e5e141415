"""grpc.health.v1.Health/Check. Its two messages have one field each, so they are encoded here."""

import grpc
import grpc.aio

from wherry.version import KUBERNETES_VERSION

_SERVING = 1
_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def encode_request(service: str) -> bytes:
    """HealthCheckRequest: field 1, a string."""
    text = service.encode()
    return b"" if not text else b"\x0a" + _varint(len(text)) + text


def decode_status(message: bytes) -> int:
    """HealthCheckResponse: field 1, an enum; absent means 0."""
    return message[1] if len(message) > 1 and message[0] == 0x08 else 0


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return out + bytes((number,))


async def check(host: str, port: int, service: str, timeout: float) -> tuple[bool, str]:
    """Whether it serves, and what to say of it."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    version = ".".join(KUBERNETES_VERSION.split(".")[:2])
    options = (("grpc.primary_user_agent", f"kube-probe/{version}"), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(where, options=options) as channel:
        call = channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=encode_request, response_deserializer=decode_status
        )
        try:
            state = await call(service, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return False, _failure(where, timeout, error)
    if state == _SERVING:
        return True, "service healthy"
    return False, f'service unhealthy (responded with "{_STATES.get(state, state)}")'


def _failure(where: str, timeout: float, error: grpc.aio.AioRpcError) -> str:
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.UNIMPLEMENTED:
        protocol = "the grpc health protocol (grpc.health.v1.Health)"
        return f"error: this server does not implement {protocol}: {details}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"timeout: health rpc did not complete within {timeout:g}s"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f'error: failed to connect service at "{where}": {details}'
    return f"error: health rpc probe failed: {details}"
