if not exists ["From", "Date"] { discard; }
if anyof (not exists ["From", "Date"],
          header :contains "from" "fool@example.com") {
   discard;
}
if allof (size :over 500K, size :under 1M, not false, true) { keep; }
