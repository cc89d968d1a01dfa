"""Group lookups for ACLs: ptloader and its tools."""
