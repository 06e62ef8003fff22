"""`mycelial demo`."""


def demo() -> None:
    """Demo (to be written)."""
