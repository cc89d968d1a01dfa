require ["variables","regex","enotify"]; set :upper :quoteregex :encodeurl "c" "${a}"; if string :regex "${a}" "${b}(" {}
