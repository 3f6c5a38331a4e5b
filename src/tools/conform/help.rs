//! The help text of `conform`.

pub const HELP: &str = "\
Usage: barewire conform server [OPTION]... URL
       barewire conform client --run 'COMMAND {url}' [OPTION]...
       barewire conform client --listen ADDR:PORT [OPTION]...
       barewire conform --list [OPTION]...

Tests whether a server or a client obeys the specifications of HTTP/1.1, Server-Sent Events, polling
and WebSocket. A failure shows the bytes, what was expected, and the section that requires it.

  server  tests the server at URL: an echo of WebSocket messages at ws://HOST/PATH, or HTTP at
          http://HOST/PATH
  client  tests a client: it has to echo WebSocket messages, or to print the events of a stream as
          lines of JSON, {\"id\":…,\"event\":…,\"data\":…}

What is tested:

  --suite NAME,…        websocket, deflate, sse, long-poll, short-poll, http [what the URL and the
                        adapter have]
  --only PATTERN        only these cases, such as 'websocket/5.*' or 'autobahn/9.*'; repeatable
  --skip PATTERN        not these cases; repeatable
  --full                also the long cases
  --list                writes the cases and plays none

The server's resources. In a URL, {base} is the URL of the command line, {topic} a name that differs
from case to case, {cursor} the cursor of a poll, {wait} the seconds that a poll may be held.

  --adapter NAME|FILE   options for a kind of server: barewire, axum, nchan, node-sse, websockets, ws, or
                        a file with an option on each line
  --get URL             a resource that answers GET [URL, if it is http://]
  --post URL            a resource that accepts any content with POST [URL, if it is http://]
  --websocket URL       a WebSocket that echoes [URL, if it is ws://]
  --stream URL          an event stream
  --poll URL            a resource to poll
  --publish 'METHOD URL'  how an event is published: its data is the content
  --cursor PLACE        where a response to a poll has the cursor of the next, header:NAME or
                        json:NAME [json:next]

The client:

  --listen ADDR:PORT    the address to wait at
  --run 'COMMAND {url}' starts the client for each case with the URL [the client connects by itself,
                        with the requests of Autobahn's clients: /getCaseCount, /runCase?case=N,
                        /updateReports]

How it is tested, and the result:

  -j N                  cases at once [8]
  --timeout SECONDS     the longest that a case may take; a long case may take twelve times that, and what
                        is due at once at most 5 s of it; a client has 30 s to start [10]
  --format FORMAT       text, json, junit or tap [text]
  --report FILE         also writes the result to one HTML file
  --save FILE           also writes the outcome of each case to a file for --expect
  --expect FILE         compares the outcomes with those of the file, and fails on each difference
  --quiet               no progress on standard error
  --help                shows this help

Exit status: 0 no case failed; 1 a case failed or was not played, or an outcome is not the expected one; 2 the arguments
are wrong, or the endpoint could not be tested; 130 ended by a signal.
";
