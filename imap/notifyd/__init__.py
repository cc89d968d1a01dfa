"""notifyd(8): does what notifications ask for."""
