"""Lengths of time in words."""


def lasting(seconds: float) -> str:
    """In its largest unit: 200 gives '3 min'."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"
