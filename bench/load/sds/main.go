// Command sds is the SDS side of many Envoys, reduced to what a node agent sees of them: a connection
// for each, with a stream for the certificate and a stream for the roots, and an ACK for whatever
// comes. It writes a line of JSON when all of them have acknowledged a certificate, and one for each
// set of roots when the last of them has acknowledged it. It ends when its standard input does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// event is one line of the output.
type event struct {
	// SHA-256 of the roots in PEM; empty for certificates.
	Roots string `json:"roots"`
	// Unix milliseconds of the last acknowledgement.
	AtMs float64 `json:"atMs"`
}

// ack is what an Envoy has acknowledged. Roots is empty for a certificate.
type ack struct {
	envoy int
	roots string
	at    time.Time
}

// A connection is made while so many others are: the queue of a socket is short.
const dialsMax = 64

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sds:", err)
		os.Exit(1)
	}
}

func run() error {
	socket := flag.String("socket", "", "Unix `socket` of the node agent")
	tokensFile := flag.String("tokens", "", "`file` of tokens, one a line and one for each Envoy")
	flag.Parse()
	tokens, err := readLines(*tokensFile)
	if err != nil {
		return err
	}
	acks, failed := make(chan ack, 2*len(tokens)), make(chan error, 1)
	room := make(chan struct{}, dialsMax)
	for number, token := range tokens {
		go func() {
			room <- struct{}{}
			defer func() { <-room }()
			e := &envoy{number: number, token: token, acks: acks, failed: failed}
			if err := e.connect(*socket); err != nil {
				e.fail(err)
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	return watch(len(tokens), acks, failed, ended, json.NewEncoder(os.Stdout))
}

func readLines(path string) (lines []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 && scanner.Err() == nil {
		return nil, errors.New("expected at least one token, got none")
	}
	return lines, scanner.Err()
}

// watch counts acknowledgements until nobody listens any more, or something fails.
func watch(
	envoys int, acks <-chan ack, failed <-chan error, ended <-chan struct{}, out *json.Encoder,
) error {
	// By what they hold: the Envoys that do.
	holders := map[string]map[int]bool{}
	for {
		select {
		case <-ended:
			return nil
		case err := <-failed:
			return err
		case a := <-acks:
			if holders[a.roots] == nil {
				holders[a.roots] = map[int]bool{}
			}
			before := len(holders[a.roots])
			holders[a.roots][a.envoy] = true
			if after := len(holders[a.roots]); after == before || after < envoys {
				continue
			}
			if err := out.Encode(event{a.roots, float64(a.at.UnixMicro()) / 1e3}); err != nil {
				return err
			}
		}
	}
}
