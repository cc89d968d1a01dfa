"""Building blocks that know no mail: locks, files, numbers, times, logging."""
