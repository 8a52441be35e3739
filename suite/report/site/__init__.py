"""The pages of many runs, with an index, a comparison and a history."""
