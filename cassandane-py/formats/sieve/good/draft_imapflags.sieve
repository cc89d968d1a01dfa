require "imapflags";
setflag ["\\Flagged"]; mark; unmark; addflag "x"; removeflag ["a", "b"];
