package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type x509Line struct {
	SPIFFEID string    `json:"spiffe_id"`
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"not_after"`
	Chain    int       `json:"chain"`
	Roots    int       `json:"roots"`
}

func openX509Source(ctx context.Context, socket string) (*workloadapi.X509Source, error) {
	return workloadapi.NewX509Source(ctx,
		workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+socket)))
}

// x509Watch prints the SVID at once and at each change. Each is verified against the bundle that
// came with it.
func x509Watch(flags *flag.FlagSet) func(context.Context) error {
	socket := flags.String("socket", "", "of the agent")
	count := flags.Int("count", 1, "of SVIDs to see")
	return func(ctx context.Context) error {
		source, err := openX509Source(ctx, *socket)
		if err != nil {
			return err
		}
		defer source.Close()
		last := ""
		for seen := 0; seen < *count; {
			line, err := describeSVID(source)
			if err != nil {
				return err
			}
			// A change of the bundle alone is an update, too.
			if line.Serial != last {
				emit(line)
				last = line.Serial
				seen++
				continue
			}
			if err := source.WaitUntilUpdated(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func describeSVID(source *workloadapi.X509Source) (line x509Line, err error) {
	svid, err := source.GetX509SVID()
	if err != nil {
		return line, err
	}
	bundle, err := source.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
	if err != nil {
		return line, err
	}
	id, _, err := x509svid.Verify(svid.Certificates, bundle)
	if err != nil {
		return line, err
	}
	leaf := svid.Certificates[0]
	return x509Line{
		SPIFFEID: id.String(),
		Serial:   hex.EncodeToString(leaf.SerialNumber.Bytes()),
		NotAfter: leaf.NotAfter,
		Chain:    len(svid.Certificates),
		Roots:    len(bundle.X509Authorities()),
	}, nil
}

// mtls lets two workloads of two agents meet, both as they should and with wrong expectations. A
// client of TLS 1.3 learns that it was refused when it reads.
func mtls(flags *flag.FlagSet) func(context.Context) error {
	serverSocket := flags.String("server-socket", "", "of the server's agent")
	clientSocket := flags.String("client-socket", "", "of the client's agent")
	return func(ctx context.Context) error {
		server, err := openX509Source(ctx, *serverSocket)
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := openX509Source(ctx, *clientSocket)
		if err != nil {
			return err
		}
		defer client.Close()
		serverID, clientID, err := idsOf(server, client)
		if err != nil {
			return err
		}
		stranger := spiffeid.RequireFromPath(serverID.TrustDomain(), "/ns/shop/sa/stranger")
		foreign := spiffeid.RequireTrustDomainFromString("foreign.test")
		for _, meeting := range []struct {
			step               string
			ofClient, ofServer tlsconfig.Authorizer
		}{
			{"as expected", tlsconfig.AuthorizeID(clientID), tlsconfig.AuthorizeID(serverID)},
			{"by trust domain", tlsconfig.AuthorizeMemberOf(clientID.TrustDomain()), tlsconfig.AuthorizeMemberOf(serverID.TrustDomain())},
			{"client expects another server", tlsconfig.AuthorizeID(clientID), tlsconfig.AuthorizeID(stranger)},
			{"server expects another client", tlsconfig.AuthorizeID(stranger), tlsconfig.AuthorizeID(serverID)},
			{"client expects another trust domain", tlsconfig.AuthorizeAny(), tlsconfig.AuthorizeMemberOf(foreign)},
		} {
			id, err := meet(ctx,
				spiffetls.MTLSServerWithSource(meeting.ofClient, server),
				spiffetls.MTLSClientWithSource(meeting.ofServer, client))
			report(meeting.step, id, err)
		}
		// A bundle of another trust domain is no reason to trust this one.
		empty := x509bundle.New(foreign)
		id, err := meet(ctx,
			spiffetls.MTLSServerWithSource(tlsconfig.AuthorizeAny(), server),
			spiffetls.MTLSClientWithRawConfig(tlsconfig.AuthorizeAny(), client, empty))
		report("client holds another trust domain's bundle", id, err)
		return nil
	}
}

func idsOf(server, client *workloadapi.X509Source) (serverID, clientID spiffeid.ID, err error) {
	serverSVID, err := server.GetX509SVID()
	if err != nil {
		return serverID, clientID, err
	}
	clientSVID, err := client.GetX509SVID()
	if err != nil {
		return serverID, clientID, err
	}
	return serverSVID.ID, clientSVID.ID, nil
}

// meet returns the server's ID as the client saw it, once the server's greeting has arrived.
func meet(ctx context.Context, serverMode spiffetls.ListenMode, clientMode spiffetls.DialMode) (string, error) {
	listener, err := spiffetls.ListenWithMode(ctx, "tcp", "127.0.0.1:0", serverMode)
	if err != nil {
		return "", err
	}
	defer listener.Close()
	go greetOne(listener)
	return greeting(ctx, listener.Addr().String(), clientMode)
}

func greetOne(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("hello"))
}

// mtlsDial reads a greeting from a server that is not ours to start, such as an Envoy.
func mtlsDial(flags *flag.FlagSet) func(context.Context) error {
	socket := flags.String("socket", "", "of the agent")
	address := flags.String("address", "", "HOST:PORT")
	expect := flags.String("expect", "", "SPIFFE ID of the server")
	return func(ctx context.Context) error {
		id, err := spiffeid.FromString(*expect)
		if err != nil {
			return err
		}
		source, err := openX509Source(ctx, *socket)
		if err != nil {
			return err
		}
		defer source.Close()
		got, err := greeting(ctx, *address, spiffetls.MTLSClientWithSource(tlsconfig.AuthorizeID(id), source))
		report("dial", got, err)
		return nil
	}
}

func greeting(ctx context.Context, address string, mode spiffetls.DialMode) (string, error) {
	conn, err := spiffetls.DialWithMode(ctx, "tcp", address, mode)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	if string(text) != "hello" {
		return "", fmt.Errorf("expected a greeting, got %q", text)
	}
	id, err := spiffetls.PeerIDFromConn(conn)
	return id.String(), err
}
