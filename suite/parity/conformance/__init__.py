"""The same checks for every adapter: what an adapter owes, layer by layer and as whole programs."""
