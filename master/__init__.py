"""master(8): starts, watches and stops the services. Privileged, so it stays small."""
