package main

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

type certificateLine struct {
	Step            string `json:"step"`
	ID              string `json:"id"`
	Serial          string `json:"serial"`
	Elements        int    `json:"elements"`
	Roots           int    `json:"roots"`
	KeyType         string `json:"key_type"`
	LifetimeSeconds int64  `json:"lifetime_seconds"`
}

// checkReply holds a cert_chain to what Istio's clients rely on: the leaf first, one certificate an
// element, and the roots, one or several, in the last.
func checkReply(chain []string, key crypto.Signer) (line certificateLine, err error) {
	if len(chain) < 2 {
		return line, fmt.Errorf("expected a leaf and a root, got %d elements", len(chain))
	}
	var certs []*x509.Certificate
	for i, element := range chain[:len(chain)-1] {
		parsed, err := parseElement(element)
		if err != nil {
			return line, fmt.Errorf("element %d: %w", i, err)
		}
		if len(parsed) != 1 {
			return line, fmt.Errorf("element %d: expected 1 certificate, got %d", i, len(parsed))
		}
		certs = append(certs, parsed[0])
	}
	roots, err := parseElement(chain[len(chain)-1])
	if err != nil {
		return line, fmt.Errorf("last element: %w", err)
	}
	leaf := certs[0]
	if err := checkLeaf(leaf, key); err != nil {
		return line, err
	}
	if err := verifyChain(leaf, certs[1:], roots); err != nil {
		return line, err
	}
	if err := checkKeyPair(chain, key); err != nil {
		return line, err
	}
	return certificateLine{
		Step:            "certificate",
		ID:              leaf.URIs[0].String(),
		Serial:          hex.EncodeToString(leaf.SerialNumber.Bytes()),
		Elements:        len(chain),
		Roots:           len(roots),
		KeyType:         leaf.PublicKeyAlgorithm.String(),
		LifetimeSeconds: int64(leaf.NotAfter.Sub(leaf.NotBefore) / time.Second),
	}, nil
}

// parseElement refuses anything beside certificates. The newline at the end matters, because
// clients join the elements.
func parseElement(element string) ([]*x509.Certificate, error) {
	if !strings.HasSuffix(element, "\n") {
		return nil, errors.New("expected a newline at the end")
	}
	var certs []*x509.Certificate
	for rest := []byte(element); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("expected certificates only")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("expected a certificate")
	}
	return certs, nil
}

func checkLeaf(leaf *x509.Certificate, key crypto.Signer) error {
	own, isComparable := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !isComparable || !own.Equal(leaf.PublicKey) {
		return errors.New("leaf: expected the key of the CSR")
	}
	if leaf.IsCA || len(leaf.URIs) != 1 || len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 {
		return errors.New("leaf: expected exactly one URI SAN, and no CA")
	}
	return nil
}

func verifyChain(leaf *x509.Certificate, intermediates, roots []*x509.Certificate) error {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	for _, cert := range intermediates {
		options.Intermediates.AddCert(cert)
	}
	for _, cert := range roots {
		options.Roots.AddCert(cert)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		options.KeyUsages = []x509.ExtKeyUsage{usage}
		if _, err := leaf.Verify(options); err != nil {
			return err
		}
	}
	return nil
}

// checkKeyPair loads what Istio's agent hands to Envoy: all elements joined, and the key.
func checkKeyPair(chain []string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	_, err = tls.X509KeyPair([]byte(strings.Join(chain, "")), keyPEM)
	return err
}
