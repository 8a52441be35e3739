"""How work is done, whatever it is: jobs, worker pools, task inputs, the scheduler, progress."""
