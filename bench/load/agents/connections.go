package main

import (
	crand "crypto/rand"
	"math/rand/v2"
	"time"
)

const (
	connectionsPort  = 8080
	callersMTLS      = 8
	callersPlaintext = 2
)

// tellConnections returns at once: the agent reports what its proxy has seen in each interval, each report after the
// acknowledgement of the one before.
func (a *agent) tellConnections(count int, interval time.Duration) error {
	a.commands++
	command := a.commands
	go func() {
		if err := a.talk.tellConnections(count, interval); err != nil {
			a.fail(err)
			return
		}
		a.tally.add(told, command)
	}()
	return nil
}

func (t *talk) tellConnections(count int, interval time.Duration) error {
	run := make([]byte, 16)
	if _, err := crand.Read(run); err != nil {
		return err
	}
	epoch := time.Now()
	since := epoch
	time.Sleep(rand.N(interval))
	for sequence := 1; sequence <= count; sequence++ {
		until := time.Now()
		message := connectionsMessage(run, uint64(sequence), t.agent.proxyID(), epoch, since, until)
		t.mutex.Lock()
		err := t.stream.Send(message)
		t.mutex.Unlock()
		if err != nil {
			return err
		}
		<-t.onConnections
		since = until
		if sequence < count {
			time.Sleep(time.Until(until.Add(interval)))
		}
	}
	return nil
}
