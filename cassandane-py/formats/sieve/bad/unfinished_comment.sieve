/* unterminated
keep;