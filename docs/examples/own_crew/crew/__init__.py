"""The crew of this folder; nothing of the sidecar's."""
