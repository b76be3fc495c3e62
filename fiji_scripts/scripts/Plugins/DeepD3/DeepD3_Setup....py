#@ Context context
"""Make the Python environment that does the work, update or repair it; no terminal is needed."""

from deepd3_command import run
from deepd3_setup import set_up

run(globals(), "DeepD3 Setup...", set_up)
