"""What goes wrong between a folder and its replicas, in words for the person who deploys."""


class DeployError(Exception):
    """It cannot be done; the text says what happened, where, and what to do. `hints` are further lines."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


class InputError(DeployError):
    """The folder, a file in it or a flag is at fault; nothing has been changed."""
