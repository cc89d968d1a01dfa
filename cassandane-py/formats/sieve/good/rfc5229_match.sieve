require ["variables", "fileinto", "relational", "comparator-i;ascii-numeric"];
if header :matches "List-ID" "*<*@*" { fileinto "INBOX.lists.${2}"; stop; }
if header :matches "Subject" "*fileinto:*,*" { fileinto "${2}"; }
if address :matches ["To", "Cc"] ["coyote@**.com", "wile@**.com"] { fileinto "INBOX.business.${2}"; stop; }
if string :matches :comparator "i;octet" "${x}" "*?${y}" { keep; }
if allof (header :is "X-A" "${0}", string :value "gt" :comparator "i;ascii-numeric" "${n}" "5",
  string :count "eq" :comparator "i;ascii-numeric" ["${n}", ""] "2") { discard; }
