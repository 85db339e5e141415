"""How long routing rests after a transaction: pods that get ready one by one are to need few of them. Pure."""

from dataclasses import dataclass

_FREE = 5.0  # transactions at once that none waits after: a few pods that get ready are routed as they do
_REFILL = 1.0  # seconds until one more of them is free
_TIMES, _LONGEST = 4.0, 0.5  # of what a transaction took; seconds


@dataclass
class Pace:
    _free: float = _FREE
    _last: float = 0.0

    def rest(self, begun: float, ended: float) -> float:
        """Seconds to wait after a transaction between these moments of the monotonic clock."""
        self._free = min(_FREE, self._free + (ended - self._last) / _REFILL)
        self._last = ended
        if self._free >= 1.0:
            self._free -= 1.0
            return 0.0
        return min(_TIMES * (ended - begun), _LONGEST)
