"""Does tribench measure right here, and what on this machine spoils what it measures?

answer.py     what is said about one thing
known.py      adapters whose times, memory and operations are known
examine.py    what is measured, by what measures everything else
selftests.py  what was measured beside what is known
aa.py         identical code against itself
machine.py    what is read of the machine
findings.py   what that means for measurements, and how to mend it
"""
