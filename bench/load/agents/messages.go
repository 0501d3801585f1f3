package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"portcullis/bench/load/wire"
)

// Numbers of fields of portcullis.mesh.v1.
const (
	requestHello  = 1
	requestReport = 2
	requestLeaves = 6
	requestPolicy = 8
	// What its Envoy was told of connections.
	requestConnections = 10

	helloAgent      = 1
	helloVersion    = 2
	helloCheckpoint = 4
	helloTime       = 5
	helloPolicy     = 6

	reportSequence     = 1
	reportFull         = 2
	reportProxy        = 3
	reportHeld         = 5
	reportHeldSequence = 7

	proxyID           = 1
	proxySubscription = 2

	subscriptionStream      = 1
	subscriptionName        = 2
	subscriptionCertificate = 3
	subscriptionBundle      = 4
	subscriptionTime        = 5
	subscriptionRoots       = 7

	certificateSerial = 1
	certificateEnd    = 2

	leavesFull = 1
	leavesHeld = 2

	leafSerial = 1
	leafEnd    = 2

	policyFull     = 1
	policyComplete = 2
	policyProxy    = 3

	policyProxyID        = 1
	policyProxyDigest    = 5
	policyProxyListeners = 8
	policyProxyAnswered  = 11

	responseBundle = 1
	responseAck    = 2
	responseRenew  = 4
	responsePolicy = 5

	responseConnectionsAck = 8

	connectionsRun      = 1
	connectionsSequence = 2
	connectionsProxy    = 3

	connectionsProxyID       = 1
	connectionsProxyEpoch    = 3
	connectionsProxySeen     = 4
	connectionsProxyCoverage = 5

	seenPort    = 1
	seenKind    = 2
	seenID      = 4
	seenAddress = 5
	seenFirst   = 6
	seenLast    = 7
	seenCount   = 8

	coveragePort  = 1
	coverageSince = 2
	coverageUntil = 3

	kindMTLS      = 1
	kindPlaintext = 4

	snapshotAssignment = 1
	assignmentPolicy   = 3

	bundleSequence = 2
	bundleRoot     = 3
	ackSequence    = 1
	renewSerial    = 1
)

// helloMessage is that of an agent that witnesses the log, at first contact.
func helloMessage(agentID string, wantsPolicy bool, now time.Time) []byte {
	hello := wire.AppendBytes(nil, helloAgent, []byte(agentID))
	hello = wire.AppendBytes(hello, helloVersion, []byte("bench"))
	hello = wire.AppendBytes(hello, helloCheckpoint, nil)
	hello = wire.AppendBytes(hello, helloTime, timestamp(now))
	if wantsPolicy {
		hello = wire.AppendVarint(hello, helloPolicy, 1)
	}
	return wire.AppendBytes(nil, requestHello, hello)
}

// reportMessage is what the agent holds itself, and its one proxy's evidence, if that is to be told.
func reportMessage(sequence uint64, isFull bool, held bundle, proxy []byte) []byte {
	report := wire.AppendVarint(nil, reportSequence, sequence)
	if isFull {
		report = wire.AppendVarint(report, reportFull, 1)
	}
	if proxy != nil {
		report = wire.AppendBytes(report, reportProxy, proxy)
	}
	report = wire.AppendBytes(report, reportHeld, held.digest)
	report = wire.AppendVarint(report, reportHeldSequence, held.sequence)
	return wire.AppendBytes(nil, requestReport, report)
}

// proxyEvidence is an Envoy's: a certificate and a bundle, both acknowledged now.
func proxyEvidence(id string, leaf *x509.Certificate, holds bundle, now time.Time) []byte {
	certificate := wire.AppendBytes(nil, certificateSerial, fmt.Appendf(nil, "%x", leaf.SerialNumber.Bytes()))
	certificate = wire.AppendBytes(certificate, certificateEnd, timestamp(leaf.NotAfter))
	own := subscription(1, "default", now)
	own = wire.AppendBytes(own, subscriptionCertificate, certificate)
	roots := subscription(2, "ROOTCA", now)
	roots = wire.AppendVarint(roots, subscriptionBundle, holds.sequence)
	roots = wire.AppendBytes(roots, subscriptionRoots, holds.digest)
	proxy := wire.AppendBytes(nil, proxyID, []byte(id))
	proxy = wire.AppendBytes(proxy, proxySubscription, own)
	return wire.AppendBytes(proxy, proxySubscription, roots)
}

func subscription(stream uint64, name string, ackedAt time.Time) []byte {
	to := wire.AppendVarint(nil, subscriptionStream, stream)
	to = wire.AppendBytes(to, subscriptionName, []byte(name))
	return wire.AppendBytes(to, subscriptionTime, timestamp(ackedAt))
}

func leavesMessage(leaf *x509.Certificate) []byte {
	held := wire.AppendBytes(nil, leafSerial, leaf.SerialNumber.Bytes())
	held = wire.AppendBytes(held, leafEnd, timestamp(leaf.NotAfter))
	leaves := wire.AppendBytes(wire.AppendVarint(nil, leavesFull, 1), leavesHeld, held)
	return wire.AppendBytes(nil, requestLeaves, leaves)
}

// policyMessage is what one proxy has acknowledged: the digest of a policy that this stream was sent, which was so many assignments
// by then, or nothing yet, which is the first thing that is said.
func policyMessage(proxy string, digest []byte, assignments uint64) []byte {
	said := wire.AppendBytes(nil, policyProxyID, []byte(proxy))
	var report []byte
	if digest == nil {
		report = wire.AppendVarint(report, policyFull, 1)
		report = wire.AppendVarint(report, policyComplete, 1)
	} else {
		said = wire.AppendBytes(said, policyProxyDigest, digest)
	}
	said = wire.AppendVarint(said, policyProxyListeners, 1)
	said = wire.AppendVarint(said, policyProxyAnswered, assignments)
	report = wire.AppendBytes(report, policyProxy, said)
	return wire.AppendBytes(nil, requestPolicy, report)
}

// connectionsMessage is one delta: what a proxy has seen between two moments, of callers with mTLS and of some without.
func connectionsMessage(run []byte, sequence uint64, proxy string, epoch, since, until time.Time) []byte {
	said := wire.AppendBytes(nil, connectionsProxyID, []byte(proxy))
	said = wire.AppendVarint(said, connectionsProxyEpoch, uint64(epoch.UnixMilli()))
	for caller := range callersMTLS + callersPlaintext {
		seen := wire.AppendVarint(nil, seenPort, connectionsPort)
		if caller < callersMTLS {
			seen = wire.AppendVarint(seen, seenKind, kindMTLS)
			seen = wire.AppendBytes(seen, seenID, fmt.Appendf(nil, "spiffe://cluster.local/ns/bench/sa/caller-%d", caller))
		} else {
			seen = wire.AppendVarint(seen, seenKind, kindPlaintext)
			seen = wire.AppendBytes(seen, seenAddress, []byte{10, 9, 0, byte(caller)})
		}
		seen = wire.AppendVarint(seen, seenFirst, uint64(since.UnixMilli()))
		seen = wire.AppendVarint(seen, seenLast, uint64(until.UnixMilli()))
		said = wire.AppendBytes(said, connectionsProxySeen, wire.AppendVarint(seen, seenCount, 100))
	}
	coverage := wire.AppendVarint(nil, coveragePort, connectionsPort)
	coverage = wire.AppendVarint(coverage, coverageSince, uint64(since.UnixMilli()))
	coverage = wire.AppendVarint(coverage, coverageUntil, uint64(until.UnixMilli()))
	said = wire.AppendBytes(said, connectionsProxyCoverage, coverage)
	report := wire.AppendBytes(nil, connectionsRun, run)
	report = wire.AppendVarint(report, connectionsSequence, sequence)
	return wire.AppendBytes(nil, requestConnections, wire.AppendBytes(report, connectionsProxy, said))
}

func timestamp(at time.Time) []byte {
	to := wire.AppendVarint(nil, 1, uint64(at.Unix()))
	return wire.AppendVarint(to, 2, uint64(at.Nanosecond()))
}

// fieldsOf gives the numbers and the octets of a message's fields, by their numbers.
func fieldsOf(message []byte) (numbers map[int]uint64, octets map[int][][]byte, err error) {
	numbers, octets = map[int]uint64{}, map[int][][]byte{}
	for len(message) > 0 {
		var field wire.Field
		if field, message, err = wire.Next(message); err != nil {
			return nil, nil, err
		}
		numbers[field.Number] = field.Varint
		octets[field.Number] = append(octets[field.Number], field.Bytes)
	}
	return numbers, octets, nil
}

// isAsked tells whether RenewCertificates names the certificate.
func isAsked(renew []byte, leaf *x509.Certificate) (bool, error) {
	_, octets, err := fieldsOf(renew)
	for _, serial := range octets[renewSerial] {
		if bytes.Equal(serial, leaf.SerialNumber.Bytes()) {
			return true, err
		}
	}
	return false, err
}
