package main

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
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

func (a *agent) proxyID() string {
	return a.id + "-envoy"
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

// hold notes the newest bundle: a new stream begins with one that the agent may have confirmed before.
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
