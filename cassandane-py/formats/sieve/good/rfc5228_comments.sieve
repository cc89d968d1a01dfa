# Example: this is a hash comment
if size :over 100k { # this is a comment
   discard;
}
if size :over 100K { /* this is a comment
   this is still a comment */ discard /* this is a comment
   */ ;
}
