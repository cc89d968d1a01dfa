if anyof(true) {} if allof(not anyof(false)) {keep;}
