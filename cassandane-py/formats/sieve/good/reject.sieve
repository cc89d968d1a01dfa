require ["reject","ereject"]; if true {reject text:
hello
..dot
.
;} else {ereject "x";}
