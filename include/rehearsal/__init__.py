"""The full campaign on one machine: real Airflow, ten clusters of simulated nodes, a result for every file.

What takes cores and bandwidth is left out, the pods' computing; all else is done as it would be in a cloud.
Results are drawn from the yields that are expected, and marked as simulated.
"""
