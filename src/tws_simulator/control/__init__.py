"""The control port: what a running gateway knows and does, as JSON over HTTP on this machine."""
