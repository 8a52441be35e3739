"""What a run will do: options, profiles, installed tasks, configurations, costs."""
