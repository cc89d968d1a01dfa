"""What every daemon needs around its protocol: being a service of master, logging, login, limits."""
