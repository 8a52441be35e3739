"""Two runs side by side: are they comparable, and what became slower or faster?"""
