"""The campaign page in Airflow's web interface: the plot that fills up, the progress, and the failures.

`app` answers requests, `airflow_run` reads Airflow's database, `follower` reads the run's folder in the
bucket piece by piece, and `state` combines them. What the browser runs is in `static`.
"""
