require ["fileinto", "mailbox", "mboxmetadata", "servermetadata", "reject"];
if mailboxexists ["Partners", "INBOX.x"] { fileinto "Partners"; } else { fileinto :create "Partners"; }
if metadata :is "INBOX" "/private/vendor/vendor.isode/auto-replies" "on" { keep; }
if not metadataexists "INBOX" ["/private/comment", "/shared/comment"] { discard; }
if servermetadata :matches "/private/vendor/vendor.isode/notification-uri" "*" { stop; }
if servermetadataexists ["/shared/admin"] { reject "x"; }
