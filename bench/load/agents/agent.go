package main

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"portcullis/bench/load/stream"
)

// An agent waits up to so long before it renews because the server asks it to.
const renewJitter = time.Second

// agent is one of them.
type agent struct {
	*mesh
	number    int
	id, token string

	mutex   sync.Mutex
	own     *tls.Certificate
	talk    *talk // the newest
	holds   bundle
	renewed uint64
	// A renewal is under way.
	isRenewing bool
	// Commands to report more.
	commands uint64
}

func newAgent(mesh *mesh, number int, token string) *agent {
	return &agent{mesh: mesh, number: number, id: fmt.Sprintf("agent-%d", number), token: token}
}

func (a *agent) fail(err error) {
	a.tally.fail(fmt.Errorf("agent %d: %w", a.number, err))
}

func (a *agent) certify() (err error) {
	if a.own, err = a.mesh.certify(a.id, a.token); err == nil {
		a.tally.add(certified, 1)
	}
	return err
}

func (a *agent) connect() error {
	connection, err := a.dial(a.own)
	if err != nil {
		return err
	}
	a.talk = &talk{agent: a, own: a.own, connection: connection}
	a.tally.add(connected, 1)
	return nil
}

func (a *agent) greet() error {
	return a.talk.open(func() { a.tally.add(greeted, 1) })
}

// reportMore returns when the first of the reports is sent.
func (a *agent) reportMore(count int) error {
	a.commands++
	command := a.commands
	return a.talk.reportMore(count, func() { a.tally.add(reported, command) })
}

// took says that the server has taken the reports of a bundle; the first time that it is said counts.
func (a *agent) hold(came bundle) (isNews bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if came.sequence <= a.holds.sequence {
		return false
	}
	a.holds = came
	return true
}

// isCurrent tells whether the server has no newer stream of the agent.
func (a *agent) isCurrent(t *talk) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.talk == t
}

// renewSoon takes a new certificate, and a new stream with it; the old one ends when that is open.
func (a *agent) renewSoon() {
	a.mutex.Lock()
	isUnderWay := a.isRenewing
	a.isRenewing = true
	a.mutex.Unlock()
	if isUnderWay {
		return
	}
	time.Sleep(rand.N(renewJitter))
	if err := a.renew(); err != nil {
		a.fail(fmt.Errorf("renewal: %w", err))
	}
}

func (a *agent) renew() error {
	own, err := a.mesh.certify(a.id, a.token)
	if err != nil {
		return err
	}
	connection, err := a.dial(own)
	if err != nil {
		return err
	}
	next := &talk{agent: a, own: own, connection: connection}
	a.mutex.Lock()
	previous := a.talk
	a.talk, a.own = next, own
	a.mutex.Unlock()
	return next.open(func() {
		previous.connection.close()
		a.mutex.Lock()
		a.renewed++
		number := a.renewed
		a.isRenewing = false
		a.mutex.Unlock()
		a.tally.add(renewed, number)
	})
}

// talk is one stream of an agent. All but its opening happens in one goroutine, or under the mutex.
type talk struct {
	agent      *agent
	own        *tls.Certificate
	connection *connection

	mutex    sync.Mutex
	stream   *stream.Stream
	sequence uint64
	bundle   bundle
	// What is to be done when a report has been taken.
	onTaken map[uint64]func()
}

// open says Hello. It returns when the server has answered something.
func (t *talk) open(onFirst func()) error {
	hello := helloMessage(t.agent.id, time.Now())
	opened, err := stream.Open(t.connection.http, t.agent.url(connectPath), http.Header{}, hello)
	if err != nil {
		return err
	}
	t.stream, t.onTaken = opened, map[uint64]func(){}
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
	return t.stream.Send(reportMessage(t.sequence, t.sequence == 1, t.bundle.digest, proxy))
}

func (t *talk) proxy() []byte {
	return proxyEvidence(t.agent.id+"-envoy", t.own.Leaf, t.bundle, time.Now())
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
		for _, renew := range fields[responseRenew] {
			if isOwn, err := isAsked(renew, t.own.Leaf); err != nil || !isOwn {
				return fmt.Errorf("expected to be asked for what it holds: %w", err)
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
