"""The guide's ``deepd3.training``."""
