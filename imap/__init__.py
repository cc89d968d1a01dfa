"""The network daemons, the administrator's programs and the clients."""
