"""The campaign page in Airflow's web interface: the plot that fills up, the progress, and what failed.

`app` answers requests, `airflow_run` reads Airflow's database, `follower` reads the run's folder in the
bucket piece by piece, `state` puts both together. What the browser runs lies in `static`.
"""
