package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"portcullis/bench/load/stream"
	"portcullis/bench/load/wire"
)

const (
	certificatePath = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
	connectPath     = "/portcullis.mesh.v1.MeshService/Connect"
	dialTimeout     = 30 * time.Second

	requestCsr = 1
	certChain  = 1
)

// mesh is what all agents share.
type mesh struct {
	addr, serverName string
	wantsPolicy      bool
	tally            *tally
	key              *ecdsa.PrivateKey
	csr              []byte // PEM

	mutex  sync.Mutex
	bundle bundle
	roots  *x509.CertPool
}

// bundle is the newest that any agent was sent.
type bundle struct {
	sequence uint64
	digest   []byte
}

func newMesh(addr, serverName string, rootsPEM []byte, tally *tally) (*mesh, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(rootsPEM) {
		return nil, errors.New("expected PEM certificates as roots, got none")
	}
	csrPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	return &mesh{
		addr: addr, serverName: serverName, tally: tally, key: key, csr: csrPEM, roots: roots,
	}, nil
}

// take reads a TrustBundle; from the newest on, the server is verified with it.
func (m *mesh) take(sequence uint64, roots [][]byte) (bundle, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if sequence == m.bundle.sequence {
		return m.bundle, nil
	}
	pool := x509.NewCertPool()
	digests := make([][]byte, len(roots))
	for i, der := range roots {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return bundle{}, err
		}
		pool.AddCert(certificate)
		digest := sha256.Sum256(der)
		digests[i] = digest[:]
	}
	slices.SortFunc(digests, bytes.Compare)
	digest := sha256.Sum256(bytes.Join(digests, nil))
	came := bundle{sequence, digest[:]}
	if sequence > m.bundle.sequence {
		m.bundle, m.roots = came, pool
	}
	return came, nil
}

// connection is one of TLS with HTTP/2.
type connection struct {
	http *http2.ClientConn
	tls  *tls.Conn
}

func (c *connection) close() {
	if c != nil {
		_ = c.tls.Close()
	}
}

// dial comes with the certificate, if there is one.
func (m *mesh) dial(own *tls.Certificate) (*connection, error) {
	m.mutex.Lock()
	config := &tls.Config{
		RootCAs: m.roots, ServerName: m.serverName, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	}
	m.mutex.Unlock()
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	secured, err := tls.DialWithDialer(&net.Dialer{Timeout: dialTimeout}, "tcp", m.addr, config)
	if err != nil {
		return nil, err
	}
	client, err := (&http2.Transport{}).NewClientConn(secured)
	if err != nil {
		_ = secured.Close()
		return nil, err
	}
	return &connection{client, secured}, nil
}

// certify asks for a certificate, on a connection of its own, as an agent does.
func (m *mesh) certify(agentID, token string) (*tls.Certificate, error) {
	connection, err := m.dial(nil)
	if err != nil {
		return nil, err
	}
	defer connection.close()
	header := http.Header{"Authorization": {"Bearer " + token}, "Portcullis-Agent-Id": {agentID}}
	message := wire.AppendBytes(nil, requestCsr, m.csr)
	answer, err := stream.Call(connection.http, m.url(certificatePath), header, message)
	if err != nil {
		return nil, err
	}
	return m.parseChain(answer)
}

func (m *mesh) url(path string) string {
	return "https://" + m.serverName + path
}

// parseChain takes the leaf and what follows it; the last element has the roots.
func (m *mesh) parseChain(answer []byte) (*tls.Certificate, error) {
	own := &tls.Certificate{PrivateKey: m.key}
	for len(answer) > 0 {
		field, rest, err := wire.Next(answer)
		if err != nil {
			return nil, err
		}
		answer = rest
		if field.Number != certChain || len(answer) == 0 {
			continue
		}
		block, _ := pem.Decode(field.Bytes)
		if block == nil {
			return nil, fmt.Errorf("expected PEM in cert_chain, got %.40q", field.Bytes)
		}
		own.Certificate = append(own.Certificate, block.Bytes)
	}
	if len(own.Certificate) == 0 {
		return nil, errors.New("expected a leaf and a root in cert_chain, got less")
	}
	var err error
	own.Leaf, err = x509.ParseCertificate(own.Certificate[0])
	return own, err
}
