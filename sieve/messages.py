"""Texts of errors that clients and administrators know, as the original words them."""

from __future__ import annotations

MISSING_REQUIRE = '{} extension MUST be enabled with "require" command'
MISSING_TAG = "{} tag is required"
UNEXPECTED_TAG = "unexpected {} tag"
DUPLICATE_TAG = "duplicate {} tag"
MULTIPLE_TAGS = "multiple {} tags"
CONFLICTING_TAGS = "tag {} MUST NOT be used with tag {}"
DUPLICATE_ARGUMENT = "duplicate {} argument"
INVALID_VALUE = "invalid {} value"
NOT_IN_IHAVE = '"{}" extension MUST NOT be used in "ihave" test'
MATCH_CONFLICT = '"{}" match-type MUST NOT be used with "{}" comparator'
