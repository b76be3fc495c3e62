"""The guide's ``deepd3.core``."""
