"""What is waited for outside a worker: clusters, pulled images and Jobs, each watched by a trigger."""
