// Clients that others wrote, against a running Portcullis: go-spiffe, grpc-go, Istio's stubs, and Go's
// own reader of transparency logs.
//
// Every command prints one JSON object a line. It ends by itself: with 0 when it saw what it was to
// see, else with 1 and the reason on stderr. A refusal that a command asks for is something to see.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/status"
)

// A command declares its flags and returns what to run once they are parsed.
type command func(flags *flag.FlagSet) func(ctx context.Context) error

var commands = map[string]command{
	"x509-watch":     x509Watch,
	"mtls":           mtls,
	"mtls-dial":      mtlsDial,
	"jwt":            jwt,
	"bundle":         bundle,
	"reflection":     reflection,
	"istio-agent":    istioAgent,
	"ztunnel":        ztunnel,
	"workload-codes": workloadCodes,
	"log-verify":     logVerify,
	"log-make":       logMake,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "expected a command")
		os.Exit(2)
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	timeout := flags.Duration("timeout", 20*time.Second, "of the whole command")
	run := commands[os.Args[1]](flags)
	if err := flags.Parse(os.Args[2:]); err != nil || flags.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "expected flags only")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// How one step went.
type outcome struct {
	Step  string `json:"step"`
	ID    string `json:"id,omitempty"`
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`
}

func report(step, id string, err error) {
	line := outcome{Step: step, ID: id}
	if err != nil {
		line.Error = err.Error()
		if status, isStatus := status.FromError(err); isStatus {
			line.Code = status.Code().String()
		}
	}
	emit(line)
}

func emit(line any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}
