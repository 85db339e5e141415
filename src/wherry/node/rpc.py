"""gRPC over a unix socket: typed unary calls whose failures are RuntimeFailures."""

from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from wherry.node.runtime import RuntimeFailure

Reply = TypeVar("Reply", bound=Message)

_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    # A killed containerd is back within 100 ms; gRPC's own backoff starts at a second and grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)


def open_channel(socket_path: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{socket_path}", options=_OPTIONS)


def failure(error: grpc.aio.AioRpcError) -> RuntimeFailure:
    return RuntimeFailure(error.code().name, error.details() or error.code().name)


async def unary(
    channel: grpc.aio.Channel,
    path: str,
    request: Message,
    reply: type[Reply],
    *,
    timeout: float | None,
    metadata: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """One call of `/package.Service/Method`, at most `timeout` seconds."""
    call = channel.unary_unary(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=reply.FromString,
    )
    try:
        answer: Reply = await call(request, timeout=timeout, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise failure(error) from error
    return answer
