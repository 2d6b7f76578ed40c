"""The full campaign on one machine: real Airflow, ten clusters of simulated nodes, a result for every file.

Only the pods' computing is left out, which takes cores and bandwidth. Results are drawn from the expected
yields, and marked as simulated.
"""
