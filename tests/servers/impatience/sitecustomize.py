"""Python imports this at start where the directory is on PYTHONPATH: our waits for silent and busy servers, shortened.

How long they are in production, one after the other, is tested with a clock that stands still (`test_wrappers`).
"""

from migrator.engine import wrappers
from migrator.sessions import connect

connect.CONNECT_SECONDS = 3.0  # before those are imported that take it from there
wrappers.DELAYS = tuple(each / 30 for each in wrappers.DELAYS)
