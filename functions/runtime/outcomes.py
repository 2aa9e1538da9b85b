"""What can become of an event, as `seen` remembers it and a receipt says it."""

PROCESSED = "processed"
DEAD_LETTER = "deadletter"
HELD = "held"
"""Its event lies in the spool: it will come to its end."""
SKIPPED = "skipped"
"""A function's WHERE did not want it."""
