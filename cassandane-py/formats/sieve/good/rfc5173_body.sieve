require ["body", "fileinto", "relational", "comparator-i;ascii-numeric"];
if body :raw :contains "MAKE MONEY FAST" { discard; }
if body :content "text" :contains ["missile", "coordinates"] { fileinto "secrets"; }
if body :text :contains "project schedule" { fileinto "project/schedule"; }
if body :content ["audio", "text/html", ""] :matches "*" { keep; }
