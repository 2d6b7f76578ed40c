"""The command `higgsdemo`: campaigns of any Airflow from a terminal or a script, by its REST API.

It needs Airflow's address and a login, but no access to clusters or buckets, save `check`, which lists files.
"""
