"""Searching and its indexes."""

from __future__ import annotations

from libcyrus.options.declare import enum, integer, string, switch

defaultsearchtier = string(
    "defaultsearchtier", "", since="3.0.0", doc="The tier that messages are indexed to; xapian needs it."
)
search_batchsize = integer(
    "search_batchsize", 20, unit="messages", since="3.0.0", doc="How many messages are indexed at a time."
)
search_attachment_extractor_url = string(
    "search_attachment_extractor_url",
    None,
    since="3.3.1",
    doc="The URL of a service that extracts the text of attachments.",
)
search_index_language = switch(
    "search_index_language", False, since="3.3.1", doc="Index bodies by the words of their language as well."
)
search_index_parts = switch(
    "search_index_parts", False, deprecated="3.2.1", since="3.2.1", doc="Obsolete; without effect."
)
search_index_skip_domains = string(
    "search_index_skip_domains",
    None,
    since="3.3.1",
    doc="Domains whose users are not indexed, separated by space.",
)
search_index_skip_users = string(
    "search_index_skip_users", None, since="3.3.1", doc="Users who are not indexed, separated by space."
)
search_query_language = switch(
    "search_query_language", False, deprecated="3.3.0", since="3.3.0", doc="Obsolete; without effect."
)
search_normalisation_max = integer(
    "search_normalisation_max",
    1000,
    unit="nodes",
    since="3.0.0",
    doc="The size to which a query may grow while it is brought to normal form.",
)
search_engine = enum(
    "search_engine", "none", ("none", "squat", "xapian"), since="3.1.2", doc="How mail is indexed."
)
search_fuzzy_always = switch(
    "search_fuzzy_always", False, since="3.1.5", doc="Take every SEARCH for a FUZZY one."
)
search_index_headers = switch(
    "search_index_headers", True, since="3.0.0", doc="Index all headers, not only the subject and addresses."
)
search_maxtime = string(
    "search_maxtime", None, unit="seconds", since="3.0.0", doc="After this time a search is given up."
)
search_maxsize = integer(
    "search_maxsize", 4096, unit="KiB", since="3.6.0", doc="How much of each part of a message is indexed."
)
search_queryscan = integer(
    "search_queryscan",
    5000,
    unit="records",
    since="3.1.7",
    doc="From this many records on, all records are read instead of being looked up one by one; 0 for never.",
)
search_skipdiacrit = switch(
    "search_skipdiacrit", True, since="2.5.0", doc="Ignore diacritical marks in searches."
)
search_skiphtml = switch("search_skiphtml", False, since="3.0.0", doc="Do not index parts that are HTML.")
search_whitespace = enum(
    "search_whitespace",
    "merge",
    ("skip", "merge", "keep"),
    since="2.5.0",
    doc="How searches treat white space: as if it were not there, any amount alike, or exactly.",
)
search_snippet_length = integer(
    "search_snippet_length", 255, unit="bytes", since="3.0.0", doc="The longest snippet of a found message."
)
search_stopword_path = string(
    "search_stopword_path", None, since="3.1.7", doc="The directory with lists of words that are not indexed."
)
