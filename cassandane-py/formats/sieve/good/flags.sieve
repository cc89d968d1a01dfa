require "imap4flags"; setflag "\\Seen"; addflag ["a","b"]; removeflag "x y"; mark; unmark; if hasflag "a" {} if hasflag :contains ["a","b"] {}
