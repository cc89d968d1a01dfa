"""The sql backend: one table for each database. ``engines`` know the servers, ``database`` the interface."""

from .database import SqlDatabase

__all__ = ["SqlDatabase"]
