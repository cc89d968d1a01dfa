require "encoded-character";
if header :contains "subject" ["$${hex:40}", "${unicode:40}", "${ unicode:40}", "${hex:40}${unicode:0040}",
   "${unicode: 40 }", "${hex: 40 0040 }", "${hex:4 0}", "${unicode:Cool}", "${hex:24 24}", "${hex: 53 65 6E
 64}"] { discard; }
