"""The JMAP service."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

jmap_emailsearch_db_path = string(
    "jmap_emailsearch_db_path",
    None,
    deprecated="3.6.0",
    since="3.1.6",
    doc="Obsolete email search cache file.",
)
jmap_querycache_max_age = duration(
    "jmap_querycache_max_age",
    "0m",
    unit="m",
    since="3.6.0",
    doc="In-process Email/query cache lifetime; 0 off.",
)
jmap_preview_annot = string(
    "jmap_preview_annot", None, since="3.1.1", doc="Message annotation holding previews."
)
jmap_imagesize_annot = string(
    "jmap_imagesize_annot", None, since="3.1.1", doc="Message annotation holding image dimensions."
)
jmap_inlinedcids_annot = string(
    "jmap_inlinedcids_annot", None, since="3.1.1", doc="Message annotation mapping Content-IDs to body refs."
)
jmap_preview_length = integer(
    "jmap_preview_length", 64, unit="bytes", since="3.1.1", doc="Generated preview length."
)
jmap_max_catenate_items = integer(
    "jmap_max_catenate_items", 100, unit="items", since="3.6.0", doc="Items allowed per Blob/set catenation."
)
jmap_max_size_upload = integer(
    "jmap_max_size_upload", 1048576, unit="KiB", since="3.1.6", doc="maxSizeUpload."
)
jmap_max_size_blob_set = integer(
    "jmap_max_size_blob_set", 4096, unit="KiB", since="3.3.0", doc="maxSizeBlobSet."
)
jmap_max_concurrent_upload = integer(
    "jmap_max_concurrent_upload",
    5,
    unit="requests",
    since="3.1.6",
    doc="maxConcurrentUpload (advertised only).",
)
jmap_max_size_request = integer(
    "jmap_max_size_request", 10240, unit="KiB", since="3.1.6", doc="maxSizeRequest."
)
jmap_max_concurrent_requests = integer(
    "jmap_max_concurrent_requests",
    5,
    unit="requests",
    since="3.1.6",
    doc="maxConcurrentRequests (advertised only).",
)
jmap_max_calls_in_request = integer(
    "jmap_max_calls_in_request", 50, unit="calls", since="3.1.6", doc="maxCallsInRequest."
)
jmap_max_delayed_send = duration(
    "jmap_max_delayed_send", "512d", unit="s", since="3.1.8", doc="maxDelayedSend for submissions."
)
jmap_max_objects_in_get = integer(
    "jmap_max_objects_in_get", 4096, unit="objects", since="3.1.6", doc="maxObjectsInGet."
)
jmap_max_objects_in_set = integer(
    "jmap_max_objects_in_set", 4096, unit="objects", since="3.1.6", doc="maxObjectsInSet."
)
jmap_mail_max_size_attachments_per_email = integer(
    "jmap_mail_max_size_attachments_per_email",
    10240,
    unit="KiB",
    since="3.1.6",
    doc="maxSizeAttachmentsPerEmail.",
)
jmap_nonstandard_extensions = switch(
    "jmap_nonstandard_extensions", False, since="3.1.9", doc="Enable Cyrus-specific JMAP capabilities."
)
jmap_pushpoll = duration(
    "jmap_pushpoll",
    "60s",
    unit="s",
    since="3.6.0",
    doc="Poll period for EventSource/WebSocket push; 0 disables (min 0).",
)
jmap_set_has_attachment = switch(
    "jmap_set_has_attachment", True, since="3.1.5", doc="Set $hasAttachment on new messages."
)
jmap_vacation = switch("jmap_vacation", True, since="3.1.8", doc="Enable vacationresponse capability.")
jmapuploadfolder = string("jmapuploadfolder", "#jmap", since="3.1.1", doc="Mailbox name for blob uploads.")
jmapsubmission_deleteonsend = switch(
    "jmapsubmission_deleteonsend", True, since="3.1.8", doc="Drop EmailSubmission once sent."
)
jmapsubmissionfolder = string(
    "jmapsubmissionfolder", "#jmapsubmission", since="3.1.8", doc="Mailbox name for EmailSubmissions."
)
jmappushsubscriptionfolder = string(
    "jmappushsubscriptionfolder",
    "#jmappushsubscription",
    since="3.1.8",
    doc="Mailbox name for push subscriptions.",
)
notesmailbox = string(
    "notesmailbox", None, since="3.0.0", doc="Top mailbox for Apple-style Notes; unset disables."
)
