package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"portcullis/bench/load/stream"
	"portcullis/bench/load/wire"
)

// talk is one stream of an agent. All but its opening happens in one goroutine, or under the mutex.
type talk struct {
	agent      *agent
	own        *tls.Certificate
	connection *connection

	mutex    sync.Mutex
	stream   *stream.Stream
	sequence uint64
	bundle   bundle
	// The server has said that it knows policies.
	tellsPolicy bool
	// That this stream was sent.
	assignments uint64
	// What is to be done when a report has been taken.
	onTaken map[uint64]func()
	// A report of connections was acknowledged: there is one at a time.
	onConnections chan struct{}
}

// open says Hello. It returns when the server has answered something.
func (t *talk) open(onFirst func()) error {
	hello := helloMessage(t.agent.id, t.agent.wantsPolicy, time.Now())
	opened, err := stream.Open(t.connection.http, t.agent.url(connectPath), http.Header{}, hello)
	if err != nil {
		return err
	}
	t.stream, t.onTaken, t.onConnections = opened, map[uint64]func(){}, make(chan struct{}, 1)
	go func() {
		if err := t.listen(onFirst); err != nil && t.agent.isCurrent(t) {
			t.agent.fail(err)
		}
	}()
	return nil
}

// reportMore sends one report after the other, each when the one before has been taken.
func (t *talk) reportMore(count int, onAll func()) error {
	if count == 0 {
		onAll()
		return nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.report(t.proxy(), func() {
		if err := t.reportMore(count-1, onAll); err != nil {
			t.agent.fail(err)
		}
	})
}

// report is for whoever holds the mutex.
func (t *talk) report(proxy []byte, onTaken func()) error {
	t.sequence++
	t.onTaken[t.sequence] = onTaken
	return t.stream.Send(reportMessage(t.sequence, t.sequence == 1, t.bundle, proxy))
}

func (t *talk) proxy() []byte {
	return proxyEvidence(t.agent.proxyID(), t.own.Leaf, t.bundle, time.Now())
}

func (t *talk) listen(onFirst func()) error {
	for {
		message, err := t.stream.Receive()
		if err != nil {
			return err
		}
		_, fields, err := fieldsOf(message)
		if err != nil {
			return err
		}
		for _, bundle := range fields[responseBundle] {
			if err := t.takeBundle(bundle, onFirst); err != nil {
				return err
			}
		}
		for _, ack := range fields[responseAck] {
			if err := t.takeAck(ack); err != nil {
				return err
			}
		}
		for range fields[responseConnectionsAck] {
			t.onConnections <- struct{}{}
		}
		for _, policy := range fields[responsePolicy] {
			if err := t.takePolicy(policy); err != nil {
				return err
			}
		}
		for _, renew := range fields[responseRenew] {
			isOwn, err := isAsked(renew, t.own.Leaf)
			if err != nil {
				return err
			}
			if !isOwn {
				return errors.New("expected to be asked for the certificate of this stream")
			}
			go t.agent.renewSoon()
		}
	}
}

// takeBundle confirms it as an agent does: first for itself, and for its proxy when that has it, too.
func (t *talk) takeBundle(message []byte, onFirst func()) error {
	numbers, octets, err := fieldsOf(message)
	if err != nil {
		return err
	}
	came, err := t.agent.take(numbers[bundleSequence], octets[bundleRoot])
	if err != nil {
		return err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	isFirst := t.bundle.sequence == 0
	t.bundle = came
	isNews := t.agent.hold(came)
	onTaken := func() {
		if isNews {
			t.agent.tally.add(taken, came.sequence)
		}
		if isFirst {
			onFirst()
		}
	}
	if isFirst {
		if err := t.stream.Send(leavesMessage(t.own.Leaf)); err != nil {
			return err
		}
	} else if err := t.report(nil, func() {}); err != nil {
		return err
	}
	if err := t.report(t.proxy(), onTaken); err != nil {
		return err
	}
	if isNews {
		t.agent.tally.add(acked, came.sequence)
	}
	return nil
}

// takePolicy acknowledges at once what the proxy is to do.
func (t *talk) takePolicy(snapshot []byte) error {
	_, fields, err := fieldsOf(snapshot)
	if err != nil {
		return err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.tellsPolicy {
		t.tellsPolicy = true
		return t.stream.Send(policyMessage(t.agent.proxyID(), nil, 0))
	}
	for _, assignment := range fields[snapshotAssignment] {
		t.assignments++
		policy, err := wire.Find(assignment, assignmentPolicy)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(policy)
		if err := t.stream.Send(policyMessage(t.agent.proxyID(), digest[:], t.assignments)); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) takeAck(message []byte) error {
	numbers, _, err := fieldsOf(message)
	if err != nil {
		return err
	}
	t.mutex.Lock()
	onTaken := t.onTaken[numbers[ackSequence]]
	delete(t.onTaken, numbers[ackSequence])
	t.mutex.Unlock()
	if onTaken == nil {
		return fmt.Errorf("expected the acknowledgement of a report, got that of %d", numbers[ackSequence])
	}
	onTaken()
	return nil
}
