"""The JMAP service."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

jmap_emailsearch_db_path = string(
    "jmap_emailsearch_db_path",
    None,
    deprecated="3.6.0",
    since="3.1.6",
    doc="Obsolete: results of searches are no longer cached in a file.",
)
jmap_querycache_max_age = duration(
    "jmap_querycache_max_age",
    "0m",
    unit="m",
    since="3.6.0",
    doc="How long a process remembers the result of Email/query; 0 for not at all.",
)
jmap_preview_annot = string(
    "jmap_preview_annot", None, since="3.1.1", doc="The message annotation that holds previews."
)
jmap_imagesize_annot = string(
    "jmap_imagesize_annot", None, since="3.1.1", doc="The message annotation that holds sizes of images."
)
jmap_inlinedcids_annot = string(
    "jmap_inlinedcids_annot",
    None,
    since="3.1.1",
    doc="The message annotation that maps content identifiers to the HTML parts that show them.",
)
jmap_preview_length = integer(
    "jmap_preview_length", 64, unit="bytes", since="3.1.1", doc="The length of a preview."
)
jmap_max_catenate_items = integer(
    "jmap_max_catenate_items", 100, unit="items", since="3.6.0", doc="Most pieces that Blob/set joins."
)
jmap_max_size_upload = integer(
    "jmap_max_size_upload", 1048576, unit="KiB", since="3.1.6", doc="maxSizeUpload: the largest upload."
)
jmap_max_size_blob_set = integer(
    "jmap_max_size_blob_set",
    4096,
    unit="KiB",
    since="3.3.0",
    doc="maxSizeBlobSet: the largest blob that Blob/set makes.",
)
jmap_max_concurrent_upload = integer(
    "jmap_max_concurrent_upload",
    5,
    unit="requests",
    since="3.1.6",
    doc="maxConcurrentUpload: uploads at a time; told to clients, not enforced.",
)
jmap_max_size_request = integer(
    "jmap_max_size_request", 10240, unit="KiB", since="3.1.6", doc="maxSizeRequest: the largest request."
)
jmap_max_concurrent_requests = integer(
    "jmap_max_concurrent_requests",
    5,
    unit="requests",
    since="3.1.6",
    doc="maxConcurrentRequests: requests at a time; told to clients, not enforced.",
)
jmap_max_calls_in_request = integer(
    "jmap_max_calls_in_request",
    50,
    unit="calls",
    since="3.1.6",
    doc="maxCallsInRequest: most method calls in a request.",
)
jmap_max_delayed_send = duration(
    "jmap_max_delayed_send",
    "512d",
    unit="s",
    since="3.1.8",
    doc="maxDelayedSend: how far in the future a submission may lie.",
)
jmap_max_objects_in_get = integer(
    "jmap_max_objects_in_get",
    4096,
    unit="objects",
    since="3.1.6",
    doc="maxObjectsInGet: most objects that one call reads.",
)
jmap_max_objects_in_set = integer(
    "jmap_max_objects_in_set",
    4096,
    unit="objects",
    since="3.1.6",
    doc="maxObjectsInSet: most objects that one call changes.",
)
jmap_mail_max_size_attachments_per_email = integer(
    "jmap_mail_max_size_attachments_per_email",
    10240,
    unit="KiB",
    since="3.1.6",
    doc="maxSizeAttachmentsPerEmail: all attachments of a message together.",
)
jmap_nonstandard_extensions = switch(
    "jmap_nonstandard_extensions", False, since="3.1.9", doc="Offer the capabilities that only Cyrus has."
)
jmap_pushpoll = duration(
    "jmap_pushpoll",
    "60s",
    unit="s",
    since="3.6.0",
    doc="How often push connections look for changes; 0 for no push.",
)
jmap_set_has_attachment = switch(
    "jmap_set_has_attachment", True, since="3.1.5", doc="Set the keyword $hasAttachment on new messages."
)
jmap_vacation = switch("jmap_vacation", True, since="3.1.8", doc="Offer the capability vacationresponse.")
jmapuploadfolder = string(
    "jmapuploadfolder", "#jmap", since="3.1.1", doc="The part of mailbox names under which uploads lie."
)
jmapsubmission_deleteonsend = switch(
    "jmapsubmission_deleteonsend", True, since="3.1.8", doc="Delete a submission as soon as it is sent."
)
jmapsubmissionfolder = string(
    "jmapsubmissionfolder",
    "#jmapsubmission",
    since="3.1.8",
    doc="The part of mailbox names under which submissions lie.",
)
jmappushsubscriptionfolder = string(
    "jmappushsubscriptionfolder",
    "#jmappushsubscription",
    since="3.1.8",
    doc="The part of mailbox names under which push subscriptions lie.",
)
notesmailbox = string(
    "notesmailbox",
    None,
    since="3.0.0",
    doc="The mailbox of notes, as Apple's programs keep them; without one there are none.",
)
