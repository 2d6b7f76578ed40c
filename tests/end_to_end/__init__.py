"""A package, so that its services stop after its last test: an idle Airflow takes a third of a core."""
