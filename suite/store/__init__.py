"""What a run leaves behind: its schema, its directory, and the fingerprint of its machine."""
