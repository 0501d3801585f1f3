// Command outsider is somebody without a certificate, who opens plaintext connections to many ports,
// and the application behind all of them. It says where that listens, and then takes commands on
// standard input, a line each:
//
//	await refused    new connections to each port until one of them is refused there
//	await served     until one of them is answered by the application
//
// When that is so of all ports it writes a line of JSON: for each port, in their order, when the
// connection was begun that met it first. The program ends when its standard input does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// event is one line of the output.
type event struct {
	// Of the application; in the first line only.
	App string `json:"app,omitempty"`
	// refused, served
	What string `json:"what,omitempty"`
	// Unix milliseconds.
	Times []float64 `json:"atMs,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "outsider:", err)
		os.Exit(1)
	}
}

func run() error {
	ports := flag.String("ports", "", "`HOST:PORT,...` of the ports")
	interval := flag.Duration("interval", 100*time.Millisecond, "from one connection to the next, at each port")
	flag.Parse()
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(event{App: app.Addr().String()}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(app) }()
	go func() { failed <- obey(strings.Split(*ports, ","), *interval, out) }()
	return <-failed
}

// obey carries out one command after the other, until there are no more.
func obey(ports []string, interval time.Duration, out *json.Encoder) error {
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		what, isAwait := strings.CutPrefix(commands.Text(), "await ")
		if !isAwait || (what != refused && what != served) {
			return fmt.Errorf("expected a command, got %q", commands.Text())
		}
		times, err := await(ports, what, interval)
		if err != nil {
			return err
		}
		if err := out.Encode(event{What: what, Times: times}); err != nil {
			return err
		}
	}
	return commands.Err()
}

type met struct {
	port int
	at   time.Time
	err  error
}

// await begins at each port at another moment of the interval.
func await(ports []string, what string, interval time.Duration) (times []float64, err error) {
	results := make(chan met, len(ports))
	for number, port := range ports {
		go func() {
			time.Sleep(interval * time.Duration(number) / time.Duration(len(ports)))
			at, err := firstThatIs(port, what, interval)
			results <- met{number, at, err}
		}()
	}
	times = make([]float64, len(ports))
	for range ports {
		result := <-results
		err = errors.Join(err, result.err)
		times[result.port] = float64(result.at.UnixMicro()) / 1e3
	}
	return times, err
}
