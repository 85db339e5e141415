"""Names of Python distributions."""

import re


def normalized(name: str) -> str:
    """As PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()
