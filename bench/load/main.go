// Command load drives CreateCertificate of an Istio-style CA, or SignBatch of ours, over HTTP/2 and
// TLS, and reports what it saw as JSON.
//
// It shares the machine with the server it measures, so it speaks HTTP/2 at the level of frames:
// header blocks and messages are encoded before the clock starts, and one goroutine owns each
// connection. It always ends by itself (a count and a deadline), and it counts nothing as answered
// that a real agent would reject.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// options are the command line, checked.
type options struct {
	addr, serverName, rootFile, requestsFile, mode string
	certificateFile, keyFile                       string

	connections, inFlight, count, skip, batch int

	fresh, json bool
	timeout     time.Duration
	every       time.Duration // between the times when requests are due; 0 for as soon as one is answered
}

// requests is how many calls the records make.
func (o *options) requests() int {
	return o.count / max(o.batch, 1)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	opts, err := parseOptions()
	if err != nil {
		return err
	}
	config, err := tlsConfig(opts)
	if err != nil {
		return err
	}
	requests, err := readRequests(opts)
	if err != nil {
		return err
	}
	// The corpus is one large, pointer-poor heap that never becomes garbage: collecting often would
	// only cost the server its share of the machine.
	debug.SetGCPercent(400)
	outcome, err := drive(opts, config, requests)
	if err != nil {
		return err
	}
	if !opts.json {
		fmt.Printf("%d ok, failed %v, %.0f/s, p50 %.2f ms, p99 %.2f ms, client %.0f us each %s\n",
			outcome.OK, outcome.Failed, outcome.PerSecond, outcome.P50Ms, outcome.P99Ms,
			outcome.ClientCPU, outcome.FirstError)
		return nil
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

func parseOptions() (*options, error) {
	o := &options{}
	flag.StringVar(&o.addr, "addr", "", "`host:port` of the server")
	flag.StringVar(&o.serverName, "server-name", "localhost", "DNS name of the server")
	flag.StringVar(&o.rootFile, "root", "", "PEM `file` of the roots to verify the server with")
	flag.StringVar(&o.requestsFile, "requests", "", "`file` of the prepared requests")
	flag.StringVar(&o.certificateFile, "certificate", "", "PEM `file` of the client's own chain")
	flag.StringVar(&o.keyFile, "key", "", "PEM `file` of its key")
	flag.StringVar(&o.mode, "mode", "steady", "steady, or reconnect for each request")
	flag.IntVar(&o.connections, "connections", 4, "connections in steady mode")
	flag.IntVar(&o.inFlight, "in-flight", 16, "requests in flight, all connections together")
	flag.IntVar(&o.count, "count", 1000, "records to send")
	flag.IntVar(&o.batch, "batch", 0, "records in each SignBatch; 0 sends each as CreateCertificate")
	flag.IntVar(&o.skip, "skip", 0, "records to leave out at the start of the file")
	flag.BoolVar(&o.fresh, "fresh", false, "use each record at most once; else cycle")
	flag.BoolVar(&o.json, "json", false, "write the outcome as JSON")
	flag.DurationVar(&o.every, "every", 0, "steady mode: time between requests, answered or not; reports each latency")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after this long")
	flag.Parse()
	switch {
	case o.addr == "" || o.rootFile == "" || o.requestsFile == "":
		return nil, errors.New("-addr, -root and -requests are required")
	case o.mode != "steady" && o.mode != "reconnect":
		return nil, fmt.Errorf("expected mode steady or reconnect, got %q", o.mode)
	case (o.certificateFile == "") != (o.keyFile == ""):
		return nil, errors.New("-certificate and -key go together")
	case o.batch < 0 || o.count%max(o.batch, 1) != 0:
		return nil, errors.New("-count must be a multiple of -batch, which is at least 0")
	case o.count < 1 || o.skip < 0 || o.connections < 1:
		return nil, errors.New("-count and -connections must be at least 1, -skip at least 0")
	case o.every < 0 || o.every > 0 && (o.mode != "steady" || o.inFlight != o.connections):
		return nil, errors.New("-every needs steady mode and one connection for each in flight")
	case o.inFlight < 1 || o.mode == "steady" && o.inFlight < o.connections:
		return nil, errors.New("-in-flight must be at least 1, and in steady mode -connections")
	}
	return o, nil
}

// tlsConfig has no session cache: every connection of reconnect mode pays for a full handshake.
func tlsConfig(o *options) (*tls.Config, error) {
	pem, err := os.ReadFile(o.rootFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("expected PEM certificates in %s, got none", o.rootFile)
	}
	config := &tls.Config{
		RootCAs:    roots,
		ServerName: o.serverName,
		NextProtos: []string{"h2"},
		MinVersion: tls.VersionTLS12,
	}
	if o.certificateFile != "" {
		certificate, err := tls.LoadX509KeyPair(o.certificateFile, o.keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}
