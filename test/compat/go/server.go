package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// A control plane's port.
type serverAddress struct {
	address, roots, name *string
}

func serverFlags(flags *flag.FlagSet) *serverAddress {
	return &serverAddress{
		address: flags.String("server", "", "HOST:PORT"),
		roots:   flags.String("server-roots", "", "PEM; what istio-ca-root-cert holds"),
		name:    flags.String("server-name", "istiod.istio-system.svc", "DNS name in its certificate"),
	}
}

func (server *serverAddress) dial(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	pem, err := os.ReadFile(*server.roots)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("expected certificates in %s", *server.roots)
	}
	config := &tls.Config{RootCAs: pool, ServerName: *server.name, MinVersion: tls.VersionTLS12}
	options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	return grpc.NewClient(*server.address, options...)
}
