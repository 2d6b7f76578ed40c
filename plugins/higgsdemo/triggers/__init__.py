"""Triggers: wait for clusters, image pulls and Jobs without holding a worker."""
