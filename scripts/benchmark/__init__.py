"""The benchmark: forkhttpd beside its peers, on the same files, under the same load.

    case         what is asked for, how often at once, and who can answer it
    site         the files and the CGI program that every server serves
    server       the servers: which program, which configuration, which signal ends it
    running      a server that runs: started, awaited, logging, ended with everything it started
    processtree  the processes of a server, as /proc tells them
    meter        the CPU time of a server and all its children, by cgroup or by /proc
    probe        one request by hand: is the answer right, before its speed means anything
    load         one run of wrk, exact numbers or an error
    rounds       what is measured in which order, and the samples that come of it
    summary      medians, spreads and ratios
    report       the tables and the JSON
    progress     the line on the terminal meanwhile
    floor        the least that a server in Python can do
    cli          the command line, which joins these

Two rules make the numbers worth reading.  Servers take turns within every round, in a new order
each time, and a ratio is the median of the ratios *within* rounds: a machine that becomes slower
halfway slows everyone.  And what cannot be measured right stops the run: a wrong answer, a socket
error, an access log that was not written.

Only the standard library, so that any Python 3.11 can run it.
"""
