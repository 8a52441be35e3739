"""One file a command: its options, the call, what is printed."""
