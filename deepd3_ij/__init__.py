"""Find dendrites and dendritic spines in 3-D microscope stacks."""
