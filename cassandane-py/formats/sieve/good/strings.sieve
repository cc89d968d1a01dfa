require ["fileinto"]; # comment
/* bracketed
 comment */ fileinto /* x */ "a\"b\\c\d"; fileinto "multi
line"; if header :contains "Subject" text:   # foo
abc
def
.
{ stop ; }
