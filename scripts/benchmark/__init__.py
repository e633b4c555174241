"""The benchmark: forkhttpd beside its peers, on the same files, under the same load.

    case         what is asked for, how often at once, and what a server must be able to do
    site         the files and the CGI programs that every server serves
    server       a server: which program, which configuration, which signal ends it
    peers        the servers that we know to run: ours, its peers, and the floor
    running      a server that runs: started, awaited, logging, ended with everything it started
    processtree  the processes of a server, as /proc tells them
    meter        the CPU time of a server and all its children, by cgroup or by /proc
    probe        one request by hand: is the answer right, before its speed means anything
    load         one run of wrk, exact numbers or an error
    latency      visitors who come at fixed times, and how long each of them waits
    crowd        thousands of connections that keep silent
    slow         thousands of clients that never finish their request
    memory       what the processes of a server hold
    measure      one case put on one server, and the values that come of it
    rounds       what is measured in which order
    bench        takes the steps of a run, and stops at the first thing that is wrong
    summary      medians, spreads and ratios
    tables       what is shown together
    marks        what we set out to reach, and whether we do
    report       the Markdown and the JSON
    picture      the SVG
    progress     the line on the terminal meanwhile
    floor        the least that a server in Python can do
    cli          the command line, which joins these

Two rules make the numbers worth reading.  Servers take turns within every round, in a new order
each time, and a ratio is the median of the ratios *within* rounds: a machine that becomes slower
halfway slows everyone.  And what cannot be measured right stops the run: a wrong answer, a socket
error, an access log that was not written.

Only the standard library, so that any Python 3.11 can run it.
"""
