if true { if false { if true { if not not true { keep; } else { if true {stop;} } } elsif true {} } } discard;
