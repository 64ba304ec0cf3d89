"""What a log means. Everything that reads a run asks here, and nowhere else is an event interpreted twice.

Each view is a pure function of a log or of its fold. They know no journal, no process and no screen: a
result, a stream, the command line, tracing and a page on the web are drawn from the same views.

    status    one word for what a run has come to
    waiting   who waits for what
    steps     what was done, by which process, and where one died
    items     the conversation as the caller sees it
    spans     the same as a tree of spans
"""
