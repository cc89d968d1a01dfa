"""Searching and its indexes."""

from __future__ import annotations

from libcyrus.options.declare import enum, integer, string, switch

defaultsearchtier = string("defaultsearchtier", "", since="3.0.0", doc="Tier receiving new search indexes.")
search_batchsize = integer(
    "search_batchsize", 20, unit="messages", since="3.0.0", doc="Messages per indexing batch."
)
search_attachment_extractor_url = string(
    "search_attachment_extractor_url", None, since="3.3.1", doc="HTTP service extracting attachment text."
)
search_index_language = switch(
    "search_index_language", False, since="3.3.1", doc="Also stem bodies by detected language."
)
search_index_parts = switch(
    "search_index_parts", False, deprecated="3.2.1", since="3.2.1", doc="Obsolete; no effect."
)
search_index_skip_domains = string(
    "search_index_skip_domains", None, since="3.3.1", doc="Domains whose users are not indexed."
)
search_index_skip_users = string("search_index_skip_users", None, since="3.3.1", doc="Users not indexed.")
search_query_language = switch(
    "search_query_language", False, deprecated="3.3.0", since="3.3.0", doc="Obsolete; no effect."
)
search_normalisation_max = integer(
    "search_normalisation_max",
    1000,
    unit="nodes",
    since="3.0.0",
    doc="Cap on normalised search expression size.",
)
search_engine = enum(
    "search_engine", "none", ("none", "squat", "xapian"), since="3.1.2", doc="Indexing engine in use."
)
search_fuzzy_always = switch(
    "search_fuzzy_always", False, since="3.1.5", doc="Treat every IMAP SEARCH as FUZZY."
)
search_index_headers = switch(
    "search_index_headers", True, since="3.0.0", doc="Index headers beyond the address/subject set."
)
search_maxtime = string(
    "search_maxtime", None, unit="seconds", since="3.0.0", doc="Seconds before aborting a search."
)
search_maxsize = integer(
    "search_maxsize", 4096, unit="KiB", since="3.6.0", doc="Bytes indexed per message part."
)
search_queryscan = integer(
    "search_queryscan",
    5000,
    unit="records",
    since="3.1.7",
    doc="Record count triggering direct G-key scan; 0 indexed.",
)
search_skipdiacrit = switch("search_skipdiacrit", True, since="2.5.0", doc="Ignore diacritics in matching.")
search_skiphtml = switch("search_skiphtml", False, since="3.0.0", doc="Do not index HTML parts.")
search_whitespace = enum(
    "search_whitespace",
    "merge",
    ("skip", "merge", "keep"),
    since="2.5.0",
    doc="Whitespace handling when matching.",
)
search_snippet_length = integer(
    "search_snippet_length", 255, unit="bytes", since="3.0.0", doc="Maximum snippet length."
)
search_stopword_path = string("search_stopword_path", None, since="3.1.7", doc="Directory of stopword lists.")
