"""Getting the package to work on a computer: the menu in Fiji, and what is missing."""
