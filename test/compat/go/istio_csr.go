package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
)

const (
	sanTypeURI = 6
	rsaBits    = 2048
)

var sanOID = asn1.ObjectIdentifier{2, 5, 29, 17}

// istioCSR asks as Istio's clients do: O is there and empty, and the SAN, a critical extension, is
// the identity that the client hopes for.
func istioCSR(key crypto.Signer, id string) ([]byte, error) {
	uri := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: sanTypeURI, Bytes: []byte(id)}
	san, err := asn1.Marshal([]asn1.RawValue{uri})
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:         pkix.Name{Organization: []string{""}},
		ExtraExtensions: []pkix.Extension{{Id: sanOID, Critical: true, Value: san}},
	}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func newRSAKey() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

func newP256Key() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
