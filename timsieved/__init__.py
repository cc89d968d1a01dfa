"""timsieved(8): the ManageSieve server."""
