"""From annotations (tracings, masks, ROIs) to volumes."""
