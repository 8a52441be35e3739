"""Tables in the terminal and in Markdown."""
