require ["envelope", "subaddress", "fileinto"];
if envelope :user "to" "postmaster" { keep; stop; }
if address :detail ["to", "cc"] ["mta-filters", ""] { fileinto "inbox.ietf-mta-filters"; }
if address :is :user "to" "ken" { keep; }
if envelope :detail "to" "ham" { discard; }
