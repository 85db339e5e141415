"""Build hook: compiles the API's types into the package, for wheels and for editable installs alike."""

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Runs `wherry.kinds.schema.compile` over the pinned models of the build environment."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root, "src")
        sys.path.insert(0, str(source))
        # the compiler is a part of the package that is being built: it can be found only now
        from wherry.kinds.schema import compile as compiler  # noqa: PLC0415

        models = Path(str(metadata.distribution("lightkube-models").locate_file("lightkube/models")))
        written = compiler.write(models, source / "wherry" / "kinds" / "schema")
        build_data["artifacts"] += [path.relative_to(self.root).as_posix() for path in written]
