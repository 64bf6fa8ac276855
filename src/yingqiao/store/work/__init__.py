"""Background work. The `work` table is the ledger of what has to be done; DBOS carries out one try after another.

- `ledger`: asking for work, in the transaction of whatever makes it necessary; finding it again
- `destinations`: whom work goes to, what holds for all of it, pausing it with one row
- `actions`: hold, resume, cancel, retry, priority; one or many
- `queries`: lists, one piece of work, counts
- `engine`: the thread that hands work over, fair and within limits; `durable` is DBOS behind it
- `task`: what a handler sees of the work it does

Programs that only ask for work or look at it need not load the engine: import these modules one by one.
"""
