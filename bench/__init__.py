"""What the project claims about speed, as commands: each compares two ways in one run and prints a table.

They are no tests: nothing depends on how fast a machine is. What they printed last, and where, is kept in
`RESULTS.md`.
"""
