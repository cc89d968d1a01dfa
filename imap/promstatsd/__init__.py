"""promstatsd(8): collects the statistics of services for Prometheus."""
