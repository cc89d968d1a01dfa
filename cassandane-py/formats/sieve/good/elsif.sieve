if header :is "a" "b" { keep; } elsif header :contains ["a","b"] "c" { discard; } elsif not true {} else { stop; }
