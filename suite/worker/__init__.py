"""The process boundary, both ends: a worker runs one backend, the coordinator tells it what to do.

    process.py      the coordinator's end: start a worker, call it, end it
    installations.py  the coordinator's end: which interpreter runs which backend
    environment.py  the process environment that every worker gets alike
    frameworks.py   what their adapters declare of the frameworks
    variables.py    the variables that frameworks read, and what they change
    errors.py       what went wrong, in the words of an answer, for both ends
    channel.py      JSON lines over a pair of pipes, for both ends
    __main__.py     the worker's end: answers until the pipe closes
    operations.py   the worker's end: what it can be asked; timed.py, values.py: of its steps, of
                    what is inside; weights.py: of files of weights
    stopwatch.py    the worker's end: the clocks that it times with
    fresh.py, waiting.py, in_a_row.py  the worker's end: does a timed step do what it should?
    private.py      what of a text stays on its machine, for both ends
    workshop.py     the worker's end: what it holds between requests
    answers.py      what operations answer, for both ends
    client.py       the coordinator's end: every operation once, typed
    adapters.py     the worker's end: which adapters load in this interpreter

All of it needs the standard library and NumPy only, so that a worker runs in any environment that
has its framework.
"""
