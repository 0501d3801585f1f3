package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"

	"portcullis/bench/load/stream"
	"portcullis/bench/load/wire"
)

const (
	streamURL     = "http://localhost/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"
	secretTypeURL = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

	certificateSecret = "default"
	rootsSecret       = "ROOTCA"

	dialTimeout = 10 * time.Second
)

// Numbers of fields: envoy.service.discovery.v3, and the Secret of transport_sockets.tls.v3.
const (
	requestVersion = 1
	requestNode    = 2
	requestName    = 3
	requestType    = 4
	requestNonce   = 5
	nodeID         = 1

	responseVersion  = 1
	responseResource = 2
	responseNonce    = 5
	anyValue         = 2

	secretCertificate = 2
	secretValidation  = 4
	trustedCA         = 1
	inlineBytes       = 2
)

// envoy is one Envoy: its connection, and what it tells of it.
type envoy struct {
	number int
	token  string
	acks   chan<- ack
	failed chan<- error
}

// connect opens the connection and its streams, which live for as long as this process does.
func (e *envoy) connect(socket string) error {
	raw, err := net.DialTimeout("unix", socket, dialTimeout)
	if err != nil {
		return err
	}
	connection, err := (&http2.Transport{}).NewClientConn(raw)
	if err != nil {
		return err
	}
	for _, secret := range []string{certificateSecret, rootsSecret} {
		go func() { e.fail(e.stream(connection, secret)) }()
	}
	return nil
}

// fail tells of the first failure of all Envoys: one is enough to spoil the measurement.
func (e *envoy) fail(err error) {
	select {
	case e.failed <- fmt.Errorf("Envoy %d: %w", e.number, err):
	default:
	}
}

// stream subscribes to one secret and acknowledges whatever comes, until it fails.
func (e *envoy) stream(connection *http2.ClientConn, secret string) error {
	node := wire.AppendBytes(nil, nodeID, fmt.Appendf(nil, "envoy-%d", e.number))
	first := appendSubscription(wire.AppendBytes(nil, requestNode, node), secret)
	header := http.Header{"Authorization": {"Bearer " + e.token}}
	call, err := stream.Open(connection, streamURL, header, first)
	if err != nil {
		return err
	}
	defer call.Close()
	for {
		message, err := call.Receive()
		if err != nil {
			return fmt.Errorf("the stream of %s: %w", secret, err)
		}
		came, err := parseResponse(message)
		if err != nil {
			return err
		}
		if err := call.Send(came.acknowledge(secret)); err != nil {
			return err
		}
		e.acks <- ack{e.number, came.roots, time.Now()}
	}
}

// answer is what a DiscoveryResponse holds.
type answer struct {
	version, nonce []byte
	// SHA-256 of the roots; empty if it is a certificate.
	roots string
}

func parseResponse(message []byte) (came answer, err error) {
	resources := 0
	for len(message) > 0 {
		var field wire.Field
		if field, message, err = wire.Next(message); err != nil {
			return came, err
		}
		switch field.Number {
		case responseVersion:
			came.version = field.Bytes
		case responseNonce:
			came.nonce = field.Bytes
		case responseResource:
			resources++
			if came.roots, err = digestRoots(field.Bytes); err != nil {
				return came, err
			}
		}
	}
	if resources != 1 {
		return came, fmt.Errorf("expected one secret, got %d", resources)
	}
	return came, nil
}

// digestRoots gives the SHA-256 of the roots in a resource, or nothing for a certificate.
func digestRoots(resource []byte) (string, error) {
	secret, err := wire.Find(resource, anyValue)
	if err != nil {
		return "", err
	}
	validation, err := wire.Find(secret, secretValidation)
	if err != nil {
		return "", err
	}
	if validation == nil {
		certificate, err := wire.Find(secret, secretCertificate)
		if err == nil && certificate == nil {
			err = errors.New("expected a certificate or roots, got another secret")
		}
		return "", err
	}
	source, err := wire.Find(validation, trustedCA)
	if err != nil {
		return "", err
	}
	roots, err := wire.Find(source, inlineBytes)
	if err == nil && len(roots) == 0 {
		err = errors.New("expected roots, got none")
	}
	digest := sha256.Sum256(roots)
	return hex.EncodeToString(digest[:]), err
}

// acknowledge is the DiscoveryRequest that accepts the response.
func (a answer) acknowledge(secret string) []byte {
	request := wire.AppendBytes(nil, requestVersion, a.version)
	return wire.AppendBytes(appendSubscription(request, secret), requestNonce, a.nonce)
}

func appendSubscription(request []byte, secret string) []byte {
	request = wire.AppendBytes(request, requestName, []byte(secret))
	return wire.AppendBytes(request, requestType, []byte(secretTypeURL))
}
