"""What holds of security contexts, of a pod and of a container."""

import re

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import source_checks
from wherry.kinds.defaults import items
from wherry.objects import Obj
from wherry.objects.field_errors import duplicate, invalid, required

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SYSCTL_PART}[\./])*{_SYSCTL_PART}"
_SYSCTL_LENGTH = 253


def pod(path: str, context: Obj | None, spec: Obj) -> Errors:
    if context is None:
        return
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        yield from checks.user_id(f"{path}.{field}", context.get(field))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        yield from checks.user_id(f"{path}.supplementalGroups[{index}]", group)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        message = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid(f"{path}.shareProcessNamespace", True, message)
    yield from _sysctls(f"{path}.sysctls", context)
    if context.get("fsGroupChangePolicy") is not None:
        words = ("Always", "OnRootMismatch")
        yield from checks.supported(f"{path}.fsGroupChangePolicy", context["fsGroupChangePolicy"], words)
    if context.get("supplementalGroupsPolicy") is not None:
        words = ("Merge", "Strict")
        yield from checks.supported(f"{path}.supplementalGroupsPolicy", context["supplementalGroupsPolicy"], words)
    yield from _profiles(path, context)


def container(path: str, context: Obj | None, host_users: bool) -> Errors:
    if context is None:
        return
    for field in ("runAsUser", "runAsGroup"):
        yield from checks.user_id(f"{path}.{field}", context.get(field))
    if context.get("procMount") is not None:
        yield from checks.supported(f"{path}.procMount", context["procMount"], ("Default", "Unmasked"))
        if host_users and context["procMount"] == "Unmasked":
            yield invalid(f"{path}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            message = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid(path, context, message)
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, context, message)
    yield from _profiles(path, context)


def _profiles(path: str, context: Obj) -> Errors:
    if context.get("seccompProfile") is not None:
        yield from _seccomp(f"{path}.seccompProfile", context["seccompProfile"])
    if context.get("appArmorProfile") is not None:
        yield from _app_armor(f"{path}.appArmorProfile", context["appArmorProfile"])


def _seccomp(path: str, profile: Obj) -> Errors:
    type_, file = profile.get("type"), profile.get("localhostProfile")
    if type_:
        yield from checks.supported(f"{path}.type", type_, _PROFILES)
    else:
        yield required(f"{path}.type", "type is required when seccompProfile is set")
    if type_ != "Localhost":
        if file is not None:
            yield invalid(f"{path}.localhostProfile", profile, "can only be set when seccomp type is Localhost")
    elif file is None:
        yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
    else:
        yield from source_checks.relative_path(f"{path}.localhostProfile", file)


def _app_armor(path: str, profile: Obj) -> Errors:
    type_: str | None = profile.get("type")
    file: str | None = profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if not type_:
        yield required(f"{path}.type", "type is required when appArmorProfile is set")
    elif type_ not in _PROFILES:
        yield from checks.supported(f"{path}.type", type_, _PROFILES)
    elif type_ != "Localhost":
        if file is not None:
            yield invalid(at, file, "can only be set when AppArmor type is Localhost")
    elif not file or not file.strip():
        yield required(at, "must be set when AppArmor type is Localhost")
    elif file != file.strip():
        yield invalid(at, file, "must not be padded with whitespace")


def _sysctls(path: str, context: Obj) -> Errors:
    seen: set[str] = set()
    for index, sysctl in enumerate(items(context, "sysctls")):
        at, name = f"{path}[{index}].name", sysctl.get("name", "")
        if not name:
            yield required(at)
        elif len(name) > _SYSCTL_LENGTH or not re.fullmatch(_SYSCTL, name):
            message = f"must have at most {_SYSCTL_LENGTH} characters and match regex ^{_SYSCTL}$"
            yield invalid(at, name, message)
        elif name in seen:
            yield duplicate(at, name)
        seen.add(name)
