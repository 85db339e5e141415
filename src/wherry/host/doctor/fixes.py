"""What `doctor --fix` does: only what can harm nothing and ends with the machine's next start."""

from pathlib import Path

from wherry.host.doctor.finding import Finding


def apply(finding: Finding) -> str | None:
    """Carry out the finding's repair; what was done, None if it has none. Raises OSError."""
    kind, _, rest = finding.repair.partition(" ")
    if kind != "sysctl":
        return None
    name, _, value = rest.partition("=")
    Path(f"/proc/sys/{name.replace('.', '/')}").write_text(value)
    return f"set {name} to {value}, until the next start of the machine (for good: a line in /etc/sysctl.d)"
