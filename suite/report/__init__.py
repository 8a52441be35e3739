"""How a run is shown: tables for terminal, Markdown and disk; figures; one offline page."""
