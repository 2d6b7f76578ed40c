"""Run one container over every file of a list of datasets, on Kubernetes clusters, as Airflow DAGs.

The package is imported at DAG parse time and by every task, so it stays empty: each part imports what it
needs, and providers are imported only inside the tasks that use them.
"""
