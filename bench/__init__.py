"""What the project claims about speed, as commands: each compares two ways in one run and prints a table.

They are not tests: nothing depends on how fast a machine is. `RESULTS.md` keeps their last output, and where
it was measured.
"""
