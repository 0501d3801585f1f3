package main

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// What an agent has done.
const (
	certified = "certified"
	connected = "connected"
	// Its first report has been taken.
	greeted = "greeted"
	// All of a command's reports have been taken.
	reported = "reported"
	// All of a command's reports of connections have been acknowledged.
	told = "told"
	// It has sent its reports of a bundle, and the server has taken them.
	acked = "acked"
	taken = "taken"
	// It has a stream with a new certificate that the server has asked for.
	renewed = "renewed"
)

// event is one line of the output: all agents have done it. Times are Unix milliseconds.
type event struct {
	What string `json:"what"`
	// Of the bundle its sequence; of renewals and commands their number, from 1.
	Number uint64  `json:"number"`
	P50    float64 `json:"p50AtMs"`
	P99    float64 `json:"p99AtMs"`
	Last   float64 `json:"lastAtMs"`
}

type deed struct {
	what   string
	number uint64
}

// tally counts what the agents do.
type tally struct {
	agents int
	failed chan error

	mutex sync.Mutex
	out   *json.Encoder
	times map[deed][]time.Time
}

func newTally(agents int, out *json.Encoder) *tally {
	return &tally{agents: agents, failed: make(chan error, 1), out: out, times: map[deed][]time.Time{}}
}

// add is for each agent once with each number.
func (t *tally) add(what string, number uint64) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	key := deed{what, number}
	// Within the lock, so that they are in order.
	t.times[key] = append(t.times[key], time.Now())
	times := t.times[key]
	if len(times) < t.agents {
		return
	}
	delete(t.times, key)
	slices.SortFunc(times, time.Time.Compare)
	at := func(share float64) float64 {
		// The nearest rank.
		rank := max(int(share*float64(len(times))+0.999999), 1)
		return float64(times[rank-1].UnixMicro()) / 1e3
	}
	if err := t.out.Encode(event{what, number, at(0.5), at(0.99), at(1)}); err != nil {
		t.fail(err)
	}
}

// fail keeps the first failure: one is enough to spoil the measurement.
func (t *tally) fail(err error) {
	select {
	case t.failed <- err:
	default:
	}
}
