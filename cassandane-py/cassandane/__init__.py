"""The test harness: private server instances, small clients, messages, the original's programs."""
