"""Where files lie and how they are reached: buckets, web servers, XRootD, by Airflow connections."""
