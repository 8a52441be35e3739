"""How time, memory and ceilings are measured, and what makes a block invalid."""
