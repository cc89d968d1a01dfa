require ["notify"]; notify; notify :method "mailto" :id "i" :low :message "m" :options ["a","b"]; denotify; denotify :is "x"; denotify :high :matches "y*"; notify :high;
