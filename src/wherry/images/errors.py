"""What goes wrong with images, in words for the person who builds them."""


class ImageError(Exception):
    """An image cannot be built, read or loaded; the text says what happened, where, and what to do."""


class BuildError(ImageError):
    """A step of a build failed; `line` is the Dockerfile's (0 if none is to blame), `tail` what it printed last."""

    def __init__(self, message: str, *, line: int = 0, tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.line = line
        self.tail = tail
