"""The API: requests, watches, patches and tables for kubectl, over HTTPS."""
