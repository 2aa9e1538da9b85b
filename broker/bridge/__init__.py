"""Store and forward between our broker and another one.

`bridge` is one bridge: two connections, and a queue on disk for each direction. `sender` empties a
queue into a connection; `echoes` and `repeats` know what must not go round in circles.
"""
