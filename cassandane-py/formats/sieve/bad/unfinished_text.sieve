reject text:
abc