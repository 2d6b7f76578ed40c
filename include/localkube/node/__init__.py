"""The nodes: the pods bound to them, run as processes of this machine."""
