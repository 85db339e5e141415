"""A compose file as Kubernetes objects, with a line for every key: mapped, changed or dropped, and why. Pure.

Keys are those of the compose specification. What has no equal is never dropped in silence. `keys` maps them one by one
into a `service`, `convert` makes objects of it.
"""

from wherry.deploy.compose.convert import Converted, convert
from wherry.deploy.compose.service import Line, Verdict

__all__ = ["Converted", "Line", "Verdict", "convert"]
