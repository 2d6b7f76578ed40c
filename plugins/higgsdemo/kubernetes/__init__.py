"""What a campaign puts into a Kubernetes cluster, how it gets there, and how far it has come."""
