// Command agents is many agents of a mesh, reduced to what a server sees of them: each has a token, a
// certificate of its own, a TLS connection, and a stream on which it confirms each bundle, for itself
// and for one proxy; and that the proxy has acknowledged each policy, with -policy. They share one key.
//
// Commands come on standard input, a line each:
//
//	certify     certificates for all
//	connect     a TLS connection with HTTP/2 each, and no call on it
//	greet       a stream each, until the first report of each has been taken
//	report N    N more reports of each, one after the other
//	tell N MS   N reports of connections of each, one every MS milliseconds
//
// What all of them have done is told on standard output, as a line of JSON; bundles and renewals come
// from the server at any time. The program ends when its standard input does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "agents:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "", "`host:port` of the server")
	serverName := flag.String("server-name", "localhost", "DNS name of the server")
	rootFile := flag.String("root", "", "PEM `file` of the roots to verify the server with")
	tokensFile := flag.String("tokens", "", "`file` of tokens, one a line and one for each agent")
	policy := flag.Bool("policy", false, "acknowledge policies for the proxies")
	flag.Parse()
	tokens, err := readLines(*tokensFile)
	if err != nil {
		return err
	}
	roots, err := os.ReadFile(*rootFile)
	if err != nil {
		return err
	}
	// What lives here lives long.
	debug.SetGCPercent(400)
	tally := newTally(len(tokens), json.NewEncoder(os.Stdout))
	mesh, err := newMesh(*addr, *serverName, roots, tally)
	if err != nil {
		return err
	}
	mesh.wantsPolicy = *policy
	agents := make([]*agent, len(tokens))
	for number, token := range tokens {
		agents[number] = newAgent(mesh, number, token)
	}
	ended := make(chan error, 1)
	go func() { ended <- obey(agents, bufio.NewScanner(os.Stdin)) }()
	select {
	case err := <-ended:
		return err
	case err := <-tally.failed:
		return err
	}
}

// obey carries out one command after the other, until there are no more.
func obey(agents []*agent, commands *bufio.Scanner) error {
	for commands.Scan() {
		var word string
		var count, milliseconds int
		_, _ = fmt.Sscan(commands.Text(), &word, &count, &milliseconds)
		switch word {
		case "certify":
			inParallel(agents, (*agent).certify)
		case "connect":
			inParallel(agents, (*agent).connect)
		case "greet":
			inParallel(agents, (*agent).greet)
		case "report":
			inParallel(agents, func(a *agent) error { return a.reportMore(count) })
		case "tell":
			interval := time.Duration(max(milliseconds, 1)) * time.Millisecond
			inParallel(agents, func(a *agent) error { return a.tellConnections(count, interval) })
		default:
			return fmt.Errorf("expected a command, got %q", commands.Text())
		}
	}
	return commands.Err()
}

// So many handshakes and requests for certificates are under way at a time.
const parallelMax = 64

// inParallel returns when each has done it, or failed and said so.
func inParallel(agents []*agent, do func(*agent) error) {
	room := make(chan struct{}, parallelMax)
	for _, each := range agents {
		room <- struct{}{}
		go func() {
			defer func() { <-room }()
			if err := do(each); err != nil {
				each.fail(err)
			}
		}()
	}
	for range parallelMax {
		room <- struct{}{}
	}
}

func readLines(path string) (lines []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines = strings.Fields(string(text))
	if len(lines) == 0 {
		return nil, errors.New("expected at least one token, got none")
	}
	return lines, nil
}
