require ["regex", "variables", "envelope", "editheader"];
if address :comparator "i;ascii-casemap" :regex "from" ["^(foo|bar)@example\\.(com|org)$", "[[:alpha:]]+"] { discard; }
set :quoteregex "a" "b*c";
if header :regex "List-ID" "<(.*)@" { keep; }
