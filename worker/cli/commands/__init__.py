"""One file per command, in a folder per kind of work; `lifecycle` has pause, resume and cancel."""
