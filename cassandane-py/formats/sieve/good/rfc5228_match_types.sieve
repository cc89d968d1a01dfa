require ["fileinto"];
if header :contains :comparator "i;octet" "Subject"
        "MAKE MONEY FAST" {
        discard;
}
if header :matches "Subject" "[mail] *?" { fileinto "lists"; }
if header :is ["to", "cc"] ["me@example.com", "tim@example.com"] { keep; }
if not header :matches ["X-Caffeine", "x?"] ["C8H*", "a\\*b"] { stop; }
