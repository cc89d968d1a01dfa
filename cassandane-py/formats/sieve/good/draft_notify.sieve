require ["notify"];
notify :method "zephyr" :options ["alm", "x"] :message "$from$: $subject$" :high :id "foobar";
denotify :is "foobar"; denotify :matches "f*" :low; denotify :high;
