"""What `make manifests` does: renders the manifests and refuses what a cluster would refuse or silently ignore."""
