"""Packages that a folder imports and names nowhere: examples and scripts seldom have a list. Pure."""

import ast
import sys
from collections.abc import Mapping

from wherry.images.detect import sources

_CALLED = {  # import name -> distribution, where they differ
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "debug_toolbar": "django-debug-toolbar",
    "django_filters": "django-filter",
    "dotenv": "python-dotenv",
    "flask_security": "flask-security-too",
    "flask_sqlalchemy": "flask-sqlalchemy",
    "graphene_django": "graphene-django",
    "jwt": "pyjwt",
    "markdown": "markdown",
    "multipart": "python-multipart",
    "rest_framework": "djangorestframework",
    "sklearn": "scikit-learn",
    "socketio": "python-socketio",
    "engineio": "python-engineio",
    "web": "web.py",
    "webdav3": "webdavclient3",
    "yaml": "pyyaml",
    "zope": "zope.interface",
}


def packages(files: Mapping[str, str]) -> list[str]:
    """Distributions for what the modules import, without the standard library and the folder's own."""
    own = {part for path in files if path.endswith(".py") for part in path.removesuffix(".py").split("/")}
    used: set[str] = set()
    for path, tree in sources.modules(files):
        if not path.startswith("tests"):
            used |= _needed(tree)
    return sorted(_CALLED.get(name, name.replace("_", "-")) for name in used - own - sys.stdlib_module_names)


def _needed(tree: ast.Module) -> set[str]:
    """Imports that no `except ImportError` makes up for."""
    optional = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and node.handlers
        for each in node.body
        for inner in ast.walk(each)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
