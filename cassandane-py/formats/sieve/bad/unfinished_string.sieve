fileinto "unterminated
keep;