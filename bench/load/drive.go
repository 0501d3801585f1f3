package main

import (
	"crypto/tls"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A peer that turns away this many connections in a row without an answer is taken to refuse.
const fruitlessMax = 3

// worker owns one connection at a time and its share of what is in flight.
type worker struct {
	opts     *options
	config   *tls.Config
	corpus   *corpus
	next     *atomic.Int64 // the next request that nobody has taken, of all workers
	deadline time.Time
	// When the clock was started.
	startedAt time.Time

	share         int // in flight at once
	perConnection int // requests before the connection is closed
	retries       []pending
	tally         tally
}

// pending is a request that has been taken but not answered. Its clock runs from when it was first
// taken, so that dialing, waiting for a window and moving to another connection all count as
// latency.
type pending struct {
	index     int
	startedAt time.Time
}

// drive runs the whole load and gives its outcome. In steady mode connections are made before the
// clock starts.
func drive(o *options, config *tls.Config, corpus *corpus) (*outcome, error) {
	var next atomic.Int64
	deadline := time.Now().Add(o.timeout)
	workers, connections, err := prepare(o, config, corpus, &next, deadline)
	if err != nil {
		return nil, err
	}
	startedAt, cpuBefore := time.Now(), cpuTime()
	var group sync.WaitGroup
	for i, w := range workers {
		w.startedAt = startedAt
		group.Add(1)
		go func() {
			defer group.Done()
			w.run(connections[i])
		}()
	}
	group.Wait()
	seconds, cpu := time.Since(startedAt).Seconds(), cpuTime()-cpuBefore
	return summarize(workers, startedAt, seconds, cpu), nil
}

func prepare(
	o *options, config *tls.Config, corpus *corpus, next *atomic.Int64, deadline time.Time,
) ([]*worker, []*connection, error) {
	steady := o.mode == "steady"
	amount, perConnection := o.inFlight, 1
	if steady {
		amount, perConnection = o.connections, math.MaxInt
	}
	workers, connections := make([]*worker, amount), make([]*connection, amount)
	for i := range workers {
		share := o.inFlight / amount
		if i < o.inFlight%amount {
			share++
		}
		workers[i] = &worker{
			opts: o, config: config, corpus: corpus, next: next, deadline: deadline,
			share: share, perConnection: perConnection, tally: newTally(o.requests()/amount + 1),
		}
		if steady {
			var err error
			if connections[i], err = dial(o, config, deadline); err != nil {
				return nil, nil, err
			}
		}
	}
	return workers, connections, nil
}

// run works until no request is left. Each failure uses up a request, so it ends even if nothing
// works.
func (w *worker) run(c *connection) {
	fruitless := 0
	for {
		next, found := w.take()
		if !found {
			break
		}
		if c == nil {
			var err error
			if c, err = dial(w.opts, w.config, w.deadline); err != nil {
				w.tally.fail("CONNECTION", err.Error())
				continue
			}
		}
		w.retries = append(w.retries, next)
		w.use(c)
		if c.answered > 0 {
			fruitless = 0
		} else if fruitless++; fruitless >= fruitlessMax {
			detail := fmt.Sprintf("%d connections in a row gave no answer", fruitless)
			for range w.retries {
				w.tally.fail("GOAWAY", detail)
			}
			w.retries = nil
		}
		c = nil
	}
	if c != nil {
		c.close()
	}
}

func (w *worker) take() (next pending, found bool) {
	if last := len(w.retries) - 1; last >= 0 {
		next, w.retries = w.retries[last], w.retries[:last]
		return next, true
	}
	index := int(w.next.Add(1)) - 1
	if index >= w.opts.requests() {
		return next, false
	}
	if w.opts.every == 0 {
		return pending{index, time.Now()}, true
	}
	// Due at a time of its own: when all connections are busy, it waits, and its clock runs.
	dueAt := w.startedAt.Add(time.Duration(index) * w.opts.every)
	time.Sleep(time.Until(dueAt))
	return pending{index, dueAt}, true
}

// use sends and receives on one connection until there is nothing more to send on it, or it fails.
func (w *worker) use(c *connection) {
	defer c.close()
	w.tally.connections++
	sent := 0
	for {
		started, err := w.fill(c, w.perConnection-sent)
		sent += started
		// With a request left over and the connection usable, it is a stream that is waited for.
		waits := len(w.retries) > 0 && !c.draining && sent < w.perConnection
		if err == nil && len(c.open) == 0 && !waits {
			return
		}
		var ended uint32
		if err == nil {
			ended, err = c.receive()
		}
		if err != nil {
			for range c.open {
				w.tally.fail("CONNECTION", err.Error())
			}
			return
		}
		if ended != 0 {
			w.settle(c, ended)
		}
		if c.draining {
			w.takeBack(c)
		}
	}
}

// fill brings the connection up to this worker's share in flight.
func (w *worker) fill(c *connection, most int) (sent int, err error) {
	for sent < most && len(c.open) < w.share && !c.draining {
		next, found := w.take()
		if !found {
			return sent, nil
		}
		if len(c.open) >= c.streamsMax {
			w.retries = append(w.retries, next)
			return sent, nil
		}
		if err := c.send(w.corpus, next); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

func (w *worker) settle(c *connection, stream uint32) {
	call := c.open[stream]
	if code, detail := call.judge(w.opts.batch); code == "" {
		latency := time.Since(call.startedAt)
		w.tally.ok(latency)
		if w.opts.every > 0 {
			w.tally.samples = append(w.tally.samples, sampleOf(call.startedAt, latency))
		}
	} else {
		w.tally.fail(code, detail)
	}
	c.answered++
	c.finish(stream)
}

// takeBack takes back the calls that the peer left untouched when it said GOAWAY: another
// connection carries them.
func (w *worker) takeBack(c *connection) {
	for stream, call := range c.open {
		if call.unprocessed {
			w.retries = append(w.retries, call.pending)
			c.finish(stream)
		}
	}
}
