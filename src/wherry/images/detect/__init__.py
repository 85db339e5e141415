"""What a folder is and how its app starts: language, framework, dependencies, command, port; each with its reason.

`detect(files)` is pure: it is given the texts of the files that may tell. Python is read as source (`ast`), never run.
"""

from wherry.images.detect.app import App, Reason, Unclear, detect

__all__ = ["App", "Reason", "Unclear", "detect"]
