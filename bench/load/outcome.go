package main

import (
	"math"
	"slices"
	"syscall"
	"time"
)

// outcome is what the program reports.
type outcome struct {
	OK          int            `json:"ok"`
	Failed      map[string]int `json:"failed"`
	Connections int            `json:"connections"`
	Seconds     float64        `json:"seconds"`
	PerSecond   float64        `json:"perSecond"`
	P50Ms       float64        `json:"p50Ms"`
	P90Ms       float64        `json:"p90Ms"`
	P99Ms       float64        `json:"p99Ms"`
	MaxMs       float64        `json:"maxMs"`
	ClientCPU   float64        `json:"clientCpuMicrosPerRequest"`
	StartedAtMs float64        `json:"startedAtMs"`
	// Of each that was answered: when it was due, in Unix milliseconds, and its latency in milliseconds. Only with -every.
	Samples    [][2]float64 `json:"samples"`
	FirstError string       `json:"firstError"`
}

// tally is one worker's part of the outcome.
type tally struct {
	latencies   []time.Duration
	samples     [][2]float64
	failed      map[string]int
	connections int
	firstError  string
	firstAt     time.Time
}

func newTally(expected int) tally {
	return tally{latencies: make([]time.Duration, 0, expected), failed: map[string]int{}}
}

func (t *tally) ok(latency time.Duration) {
	t.latencies = append(t.latencies, latency)
}

func (t *tally) fail(code, detail string) {
	t.failed[code]++
	if t.firstError != "" {
		return
	}
	t.firstError, t.firstAt = code, time.Now()
	if detail != "" {
		t.firstError += ": " + detail
	}
}

// summarize takes percentiles from all latencies, sorted, not from buckets.
func summarize(workers []*worker, startedAt time.Time, seconds float64, cpu time.Duration) *outcome {
	result := &outcome{Failed: map[string]int{}, Seconds: seconds, Samples: [][2]float64{}}
	result.StartedAtMs = unixMs(startedAt)
	var latencies []time.Duration
	var firstAt time.Time
	failures := 0
	for _, w := range workers {
		latencies = append(latencies, w.tally.latencies...)
		result.Samples = append(result.Samples, w.tally.samples...)
		result.Connections += w.tally.connections
		for code, count := range w.tally.failed {
			result.Failed[code] += count
			failures += count
		}
		if w.tally.firstError != "" && (firstAt.IsZero() || w.tally.firstAt.Before(firstAt)) {
			result.FirstError, firstAt = w.tally.firstError, w.tally.firstAt
		}
	}
	slices.Sort(latencies)
	result.OK = len(latencies)
	result.PerSecond = float64(len(latencies)) / seconds
	result.P50Ms, result.P90Ms = percentileMs(latencies, 0.5), percentileMs(latencies, 0.9)
	result.P99Ms, result.MaxMs = percentileMs(latencies, 0.99), percentileMs(latencies, 1)
	result.ClientCPU = float64(cpu.Microseconds()) / float64(max(1, len(latencies)+failures))
	return result
}

// percentileMs is the nearest rank: the smallest value that this share of all values does not
// exceed.
func percentileMs(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return float64(sorted[max(rank, 1)-1].Nanoseconds()) / 1e6
}

// cpuTime is the processor time this process has used, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func unixMs(at time.Time) float64 {
	return float64(at.UnixMicro()) / 1e3
}

func sampleOf(dueAt time.Time, latency time.Duration) [2]float64 {
	return [2]float64{unixMs(dueAt), float64(latency.Microseconds()) / 1e3}
}
