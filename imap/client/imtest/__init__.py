"""imtest(1) and its kin: connect, log in, and talk to a server by hand."""
