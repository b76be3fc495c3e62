"""The guide's ``deepd3.inference``."""
