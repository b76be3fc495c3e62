"""The guide's ``deepd3.model``."""
