"""Pages that need no network: of a run, of a comparison, of parity."""
