if true keep;
keep; keep; keep; foo "x"; if true { keep }