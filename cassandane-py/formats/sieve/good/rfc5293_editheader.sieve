require ["variables", "editheader", "index"];
if not header :contains "X-Sieve-Filtered" ["<kim@job.example.com>", "<kim@home.example.com>"] {
    addheader "X-Sieve-Filtered" "<kim@job.example.com>";
    redirect "kim@home.example.com";
}
if header :matches "to" "*" { addheader :last "X-Original-Recipient" "${1}"; }
deleteheader :index 1 :matches "X-Header" "*";
deleteheader "X-Hdr";
deleteheader :index 2 :last :contains "Delivered-To" ["bob@example.com", "x"];
deleteheader :index 1 "X-Mumble" [""];
