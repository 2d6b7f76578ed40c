"""The tasks of a campaign, in the order of the DAG. No module here imports a provider before it runs."""
