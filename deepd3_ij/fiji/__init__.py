"""A live ImageJ or Fiji from Python: images, ROIs and tables in both directions.

``connect()`` gives a :class:`Session`. Importing this package does not start Java.
"""

from deepd3_ij.fiji.java import end_process
from deepd3_ij.fiji.session import Session, connect, running_session

__all__ = ["Session", "connect", "end_process", "running_session"]
