"""Writes ages and durations as a person says them."""

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_UNITS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"))


def format_age(milliseconds: int) -> str:
    """Returns how long ago something was, in its largest unit: ``5 min``, ``3 d``."""
    seconds = max(milliseconds // 1000, 0)
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def format_duration(seconds: float) -> str:
    """Returns a duration to its second unit: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min"
