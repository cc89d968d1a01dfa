require ["fileinto", "imap4flags"];
if size :over 500K { setflag "\\Deleted"; }
if header :contains "from" "boss@frobnitzm.example.edu" {
    addflag ["\\Flagged", "$MDNRequired \\Seen"];
    fileinto "INBOX.From Boss";
}
removeflag "$Important";
if hasflag ["b","\\"] { keep :flags "\\Deleted"; }
if not hasflag :matches "a*" { discard; }
