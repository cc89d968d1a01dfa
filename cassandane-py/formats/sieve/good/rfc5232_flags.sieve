require ["fileinto", "imap4flags", "variables", "relational", "comparator-i;ascii-numeric"];
if header :contains "from" "boss@frobnitzm.example.edu" {
    setflag "flagvar" "\\Flagged";
    fileinto :flags "${flagvar}" "INBOX.From Boss";
}
addflag "flagvar" ["\\Deleted", "$Important"];
removeflag "flagvar" ["\\Answered", "Custom1"];
if hasflag :contains "MyVar" "Junk" { keep; }
if hasflag :contains ["MyVar", "a"] ["label", "forward"] { keep :flags "\\Seen"; }
if hasflag :count "ge" :comparator "i;ascii-numeric" "MyVar" "2" { keep; }
