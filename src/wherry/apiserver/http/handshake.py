"""A TLS handshake that tells a client why it failed: the event loops close the connection before the alert is out."""

import ssl


class Telling(ssl.SSLObject):
    """Holds a failure back until what OpenSSL has to say of it (`unknown certificate authority`) has been sent.

    To its event loop it then waits for the client, who reads the alert and hangs up; the handshake's time limit ends
    those who do not.
    """

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failure = error
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert goes out first") from error
