"""What the dashboard keeps on disk: clicks, dead letters, how buttons are, and sums of them all.

`Store` is the way in: one thread writes, in batches. `Reader` is the way out: a connection for each
thread that asks.
"""

from dashboard.store.reader import Reader
from dashboard.store.store import Store

__all__ = ["Reader", "Store"]
