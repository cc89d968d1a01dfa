require ["ihave"]; if not ihave "nope" { keep; } if anyof(ihave "nope", true) { keep; } if allof(ihave "nope", foo :bar "x") { bar; baz {x} y; }
